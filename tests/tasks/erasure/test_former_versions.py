from deltalake import write_deltalake
from factories import TABLE, dataset, enrollment
from small_tables import rows

from tasks.erasure.former_versions import note_former
from tasks.journal.reading import read_model, record_enrollment


def test_only_earlier_weights_on_the_table_are_noted_and_once(services):
    record_enrollment(services.journal, enrollment())
    note_former(services, "b-1", TABLE)
    assert read_model(services.journal, "income").ties.former == []
    other = enrollment(version=2, digest="d2", dataset=dataset(uri="file:///next"))
    record_enrollment(services.journal, other)
    for _ in range(2):
        note_former(services, "b-1", TABLE)
    history = read_model(services.journal, "income")
    assert [one.batch for one in history.ties.former] == ["b-1"]
    assert history.weights.below == {(1, "d1")}
    assert [end.parent_version for end in history.ends] == [1]


def test_whoever_came_after_every_training_was_learned_by_no_version(world):
    write_deltalake(world.table, rows(2, first=300, seed=4), mode="append")
    world.submit("late", [300])
    world.run()
    assert world.requests()["late-300"].status == "erased"
    assert "before the present one" not in world.requests()["late-300"].facts.reason
    assert world.certificate("late-300")["models"] == []
    assert read_model(world.services.journal, "income").ties.former == []


def test_only_the_request_whose_rows_earlier_versions_learned_is_told_so(world):
    world.forget_without_retiring(20)
    write_deltalake(world.table, rows(1, first=20, seed=7), mode="append")
    write_deltalake(world.table, rows(1, first=301, seed=7), mode="append")
    world.submit("late", [20, 301])
    world.run()
    told = {n: world.certificate(f"late-{n}")["models"] for n in (20, 301)}
    assert told[301] == []
