from tasks.journal.events import ids
from tasks.journal.events.objects import ObjectsErased


def test_a_round_that_is_recorded_left_nothing_over():
    facts = {"prefix": "s3://b/p", "tables": ("t",), "lists": 1, "erased": 2, "shared": 0}
    assert ObjectsErased(**facts, missing=0).left_over == 0


def test_each_round_below_each_prefix_has_an_id_of_its_own():
    found = [ids.erased_objects(prefix, n) for prefix in ("s3://b/p", "s3://b/q") for n in (1, 2)]
    assert len({*found, ids.erased("s3://b/p"), ids.purged_files("s3://b/p")}) == 6
