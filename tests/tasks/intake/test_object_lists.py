"""Lists of objects lie below requests/, in the order in which they were made, until dropped."""

from factories import frozen, happen, validated
from small_tables import MARK

from tasks.intake import object_lists, reduction
from tasks.intake.object_lists import keep_list
from tasks.journal.events.batches import BatchClosed


def test_lists_are_numbered_and_an_empty_one_is_none(services):
    keep_list(services, "b-1", "s3://lake/people", "t", {"b", "a"})
    keep_list(services, "b-1", "s3://lake/people", "t", set())
    keep_list(services, "b-1", "s3://lake/more", "t", {"c"})
    found = list(object_lists.object_lists(services, "b-1"))
    assert [(one.number, one.prefix, one.keys) for one in found] == [
        (1, "s3://lake/people", ("a", "b")),
        (2, "s3://lake/more", ("c",)),
    ]
    assert list(object_lists.object_lists(services, "b-2")) == []
    assert object_lists.batches_with_lists(services) == ["b-1"]
    assert all(i.key.startswith("requests/") for i in services.store.list_objects(""))


def test_the_lists_of_a_closed_batch_are_dropped_and_those_of_an_open_one_stay(services):
    for batch in ("b-1", "b-2"):
        happen(services.journal, batch, frozen=frozen())
        keep_list(services, batch, "s3://lake/people", "t", {f"{MARK}/photo.png"})
    assert not reduction.has_work(services)
    happen(services.journal, "b-1", validated=validated(), closed=BatchClosed())
    assert reduction.has_work(services)
    reduction.reduce_closed(services)
    assert object_lists.batches_with_lists(services) == ["b-2"]
    assert not reduction.has_work(services)
