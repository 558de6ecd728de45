"""New rows that come between a request of our own and the run that answers it wait for a person."""

import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, Unreported
from small_tables import rows, subject
from two_tables import enroll_photos

from tasks import pipeline
from tasks.attempts.unenrolling import unenroll
from tasks.journal.events.catalog import request_stream
from tasks.subjects import late_returns, open_batches, replay, returned, tied_tables
from tasks.subjects.returned import noted_waiting, reinstate, why_waiting
from unlearning.errors import ConflictError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

BACK = 3
ADA = {"name": "Ada", "reason": "a new contract"}


def deliver_new(world):
    write_deltalake(world.table, rows(1, first=BACK, seed=77), mode="append")


def ours(world):
    """The latest event of each request of our own, by the pseudonym of its subject."""
    requests = world.requests().items()
    return {e.facts.subject: e for name, e in requests if name.startswith("replay-")}


def pseudonym(world):
    return world.requests()[f"R-{BACK}"].facts.subject


@pytest.fixture
def overtaken(world):
    """Two are back and asked for; then one of them has a new row, and a run is made."""
    world.deliver_again(1, BACK)
    assert world.replay() == ([], 2)
    deliver_new(world)
    world.run()
    return world


def test_a_new_row_that_comes_after_the_request_waits_and_the_request_with_it(overtaken):
    assert overtaken.there() & set(GONE) == {BACK}
    assert sorted(e.status for e in ours(overtaken).values()) == ["erased", "on_hold"]
    held = ours(overtaken)[pseudonym(overtaken)]
    assert "a person decides" in held.facts.reason
    (why,) = why_waiting(overtaken.services)
    assert why.startswith("2 rows of subject")
    before = overtaken.effects()
    assert overtaken.replay() == ([], 0)
    overtaken.run()
    assert overtaken.effects() == before


def test_somebody_has_all_of_them_erased(overtaken):
    replay.erase_again(overtaken.services, pseudonym(overtaken), **ADA)
    assert noted_waiting(overtaken.services) == set()
    overtaken.run()
    assert BACK not in overtaken.there()
    assert ours(overtaken)[pseudonym(overtaken)].status == "erased"


def test_somebody_reinstates_the_subject_and_nobody_is_asked_for_any_more(overtaken):
    reinstate(overtaken.services, pseudonym(overtaken), **ADA)
    last = ours(overtaken)[pseudonym(overtaken)]
    assert (last.status, last.facts.name, last.facts.why) == ("withdrawn", "Ada", ADA["reason"])
    assert overtaken.replay() == ([], 0)
    overtaken.run()
    assert BACK in overtaken.there()


def test_the_request_goes_on_once_the_new_rows_are_gone(overtaken):
    place = overtaken.table
    DeltaTable(place).delete(f"subject_id = '{subject(BACK)}'")
    overtaken.deliver_again(BACK)
    assert overtaken.replay() == ([], 0)  # it is asked for already
    overtaken.run()
    assert BACK not in overtaken.there()
    assert ours(overtaken)[pseudonym(overtaken)].status == "erased"


def test_a_request_of_the_subject_itself_erases_new_rows_as_well(world):
    world.deliver_again(BACK)
    assert world.replay() == ([], 1)
    deliver_new(world)
    world.submit("again", [BACK])
    world.run()
    assert BACK not in world.there()
    assert {ours(world)[pseudonym(world)].status, world.requests()[f"again-{BACK}"].status} == {
        "erased"
    }


def test_a_new_row_that_comes_right_before_the_deletion_stops_it(world):
    class Meanwhile(Unreported):
        def suppress_subjects(self, batch):
            deliver_new(world)
            return super().suppress_subjects(batch)

    world.deliver_again(1, BACK)
    world.replay()
    (batch,) = open_batches.open_batches(world.services)
    with pytest.raises(ConflictError, match=r"New rows of 1 subjects .* run again"):
        pipeline.process_batch(Meanwhile(world.services), batch, ["income"])
    assert world.there() >= {1, BACK}
    world.run()
    assert world.there() & set(GONE) == {BACK}
    (record,) = (
        n for n, e in world.services.journal.requests() if e == ours(world)[pseudonym(world)]
    )
    told = world.services.journal.read(request_stream(record))
    assert [e.status for e in told] == ["accepted", "on_hold"]
    assert late_returns.set_aside(world.services, batch) == 0


def test_whoever_is_reinstated_before_a_run_took_the_request_is_not_erased(world):
    world.deliver_again(1, BACK)
    assert world.replay() == ([], 2)
    deliver_new(world)
    world.replay()
    reinstate(world.services, pseudonym(world), **ADA)
    world.run()
    assert world.there() & set(GONE) == {BACK}
    last = ours(world)[pseudonym(world)]
    assert (last.status, last.facts.name) == ("withdrawn", "Ada")
    assert ADA["reason"] in last.facts.why
    before = world.effects()
    world.run()
    assert world.effects() == before


def test_a_reinstated_request_is_withdrawn_also_where_a_run_was_killed_right_before(
    world, monkeypatch
):
    world.deliver_again(BACK)
    world.replay()
    deliver_new(world)
    world.replay()
    reinstate(world.services, pseudonym(world), **ADA)
    (batch,) = open_batches.open_batches(world.services)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(returned, "withdraw_reinstated", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.Steps(world.services).validate_batch(batch)
    assert ours(world)[pseudonym(world)].status == "on_hold"
    pipeline.Steps(world.services).validate_batch(batch)
    assert ours(world)[pseudonym(world)].status == "withdrawn"


def test_nobody_waits_for_rows_of_a_table_that_was_closed(overtaken):
    world, place = overtaken, enroll_photos(overtaken)
    write_deltalake(place, rows(1, first=1, seed=77), mode="append")
    world.replay()
    assert len(noted_waiting(world.services)) == 2
    unenroll(world.services, "photos", **ADA)
    tied_tables.close_table(world.services, place, **ADA)
    world.replay()
    assert noted_waiting(world.services) == {pseudonym(world)}
    assert not any(place in why for why in why_waiting(world.services))
