"""Every table and every version of it that a model was ever enrolled with stays in sight."""

import shutil

import pytest
from deltalake import write_deltalake
from erased_world import GONE, ROWS, Unreported
from factories import dataset
from small_tables import rows

from tasks import pipeline
from tasks.attempts import planning
from tasks.certificates import alarms
from tasks.enrolling import enroll
from tasks.journal.events.models import FormerRowsErased, TableClosed
from tasks.subjects import open_batches
from tasks.subjects.tied_tables import close_table, searched_columns, why_unsearched
from tasks.versions import retirement
from unlearning.errors import ConflictError, DataError, SettingsError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

PERSON, STRANGER = 17, 9000


@pytest.fixture
def moved(world):
    """The model was trained anew on next month's table, which lacks one person."""
    place = f"file://{world.folder}/next"
    kept = rows(ROWS, seed=1).filter([i != PERSON for i in range(ROWS)])
    write_deltalake(place, kept)
    world.first, world.next = world.table, place
    source = world.source
    world.source = lambda: source(dataset=dataset(uri=place))
    try:
        world.train()
        yield world
    finally:
        del world.source
        shutil.rmtree(world.folder / "next", ignore_errors=True)


def test_the_table_before_is_searched_and_its_version_retired(moved):
    moved.submit("late", [PERSON])
    moved.run()
    assert moved.requests()[f"late-{PERSON}"].status == "erased"
    assert PERSON not in moved.there(moved.first)
    assert moved.champion() == 3
    (part,) = moved.certificate(f"late-{PERSON}")["models"]
    assert (part["outcome"], part["dataset"]) == ("earlier versions", moved.first)
    assert [one["version"] for one in part["earlier_versions"]] == [1, 2]
    assert len(moved.events(FormerRowsErased)) == 1
    verbs = {a.version: a.verb for a in retirement.survey(moved.services, "income")}
    assert verbs == {1: "wait", 2: "retire"}
    moved.set_alias(2)
    moved.run()
    assert moved.champion() == 3


def test_whoever_is_restored_in_a_table_before_is_asked_for_again(moved):
    moved.replay()
    moved.run()
    assert not moved.there(moved.next) & set(GONE)
    moved.restore()
    assert moved.there(moved.first) >= set(GONE)
    assert moved.replay()[1] == len(GONE)
    moved.run()
    assert not moved.there(moved.first) & set(GONE)


def test_a_table_before_that_is_no_more_holds_up_no_replay(moved):
    shutil.rmtree(moved.folder / "train")
    assert moved.replay()[1] == len(GONE)


def test_weights_that_never_were_on_the_table_stay_as_they_are(moved):
    moved.submit("late", [PERSON])
    moved.run()
    assert 3 not in {a.version for a in retirement.survey(moved.services, "income")}
    assert planning.read_enrollment(moved.services.journal, "income").version == 3


def test_a_table_before_that_cannot_be_opened_makes_the_answer_uncertain(moved):
    shutil.rmtree(moved.folder / "train")
    (why,) = why_unsearched(moved.services)
    assert moved.first in why
    assert "expunge close-table" in why
    moved.submit("late", [STRANGER, 20])
    moved.run()
    status = {name: e.status for name, e in moved.requests().items() if name.startswith("late")}
    assert status == {f"late-{STRANGER}": "cannot_tell", "late-20": "erased"}
    body = moved.certificate(f"late-{STRANGER}")
    assert body["outcome"] == "cannot_tell"
    assert body["tables_not_searched"] == [moved.first]
    assert moved.first not in {one["table"] for one in body["tables_searched"]}


def test_only_a_name_and_a_reason_take_a_table_out_of_the_search(moved):
    with pytest.raises(SettingsError, match="--reason TEXT"):
        close_table(moved.services, moved.first, name="Ada", reason=" ")
    with pytest.raises(ConflictError, match="is enrolled with"):
        close_table(moved.services, moved.next, name="Ada", reason="old")
    with pytest.raises(DataError, match="No model was ever enrolled"):
        close_table(moved.services, "file:///other", name="Ada", reason="old")
    for _ in range(2):
        close_table(moved.services, moved.first, name="Ada", reason="a copy of the next one")
    assert len(moved.events(TableClosed)) == 1
    assert set(searched_columns(moved.services)) == {moved.next, moved.holdout}
    moved.submit("late", [STRANGER])
    moved.run()
    body = moved.certificate(f"late-{STRANGER}")
    assert body["outcome"] == "not_found"
    assert "tables_not_searched" not in body
    assert body["tables_closed"] == [
        {"table": moved.first, "closed_by": "Ada", "reason": "a copy of the next one"}
    ]


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_roster_answers_for_a_table_that_is_closed_or_away(world, is_closed):
    place = f"file://{world.folder}/next"
    kept = rows(ROWS, seed=1).filter([i not in (*GONE, PERSON) for i in range(ROWS)])
    write_deltalake(place, kept)
    source, version = world.source(dataset=dataset(uri=place)), world.champion()
    enroll.enroll_version(world.services, source, version, trust_pickle=False)
    shutil.rmtree(world.folder / "train")
    if is_closed:
        close_table(world.services, world.table, name="Ada", reason="dropped")
    world.submit("late", [PERSON])
    (batch,) = open_batches.open_batches(world.services)
    (why,) = pipeline.process_batch(Unreported(world.services), batch, ["income"])
    shutil.rmtree(world.folder / "next")
    assert "train it anew on what is there now" in why
    late = world.requests()[f"late-{PERSON}"]
    assert (late.status, late.facts.reason.partition(" failed")[0]) == ("blocked", "income")


def test_whom_no_weights_learned_is_not_found_where_a_table_was_closed(moved):
    close_table(moved.services, moved.first, name="Ada", reason="a copy of the next one")
    moved.submit("late", [PERSON, STRANGER])
    moved.run()
    status = {name: e.status for name, e in moved.requests().items() if name.startswith("late")}
    assert status == {f"late-{PERSON}": "cannot_tell", f"late-{STRANGER}": "not_found"}
    body = moved.certificate(f"late-{PERSON}")
    assert [(one["table"], one["outcome"]) for one in body["tables"]] == [(moved.first, "gone")]
    (part,) = body["models"]
    assert (part["outcome"], part["dataset"]) == ("earlier versions", moved.first)
    assert PERSON in moved.there(moved.first)
    told = moved.requests()
    assert told[f"late-{PERSON}"].facts.reason == (
        f"nothing erased in {moved.first}, which Ada closed: rows may still be there; learned by "
        "versions of income before the present one"
    )
    assert told[f"late-{STRANGER}"].facts.reason == (
        "no searched table has a row of exactly or nearly this id; "
        f"{moved.first} was not searched, for Ada closed it"
    )
    # Asked once more, nobody is told that they were erased, nor that there is nothing.
    moved.submit("again", [PERSON])
    moved.run()
    again = moved.requests()[f"again-{PERSON}"]
    assert again.status == "cannot_tell"
    assert again.facts.reason.endswith(
        f"nothing could be erased in {moved.first} before, see certificates/late-{PERSON}.json"
    )


def test_rows_in_a_table_that_was_away_for_a_day_are_erased_when_it_is_back(moved):
    folder = moved.folder / "train"
    folder.rename(moved.folder / "elsewhere")
    moved.submit("late", [PERSON])
    moved.run()
    told = moved.requests()[f"late-{PERSON}"]
    assert told.status == "cannot_tell"
    assert told.facts.reason.startswith(
        f"nothing erased in {moved.first}, which could not be opened: rows may still be there; "
    )
    (moved.folder / "elsewhere").rename(folder)
    assert moved.replay()[1] == len(GONE) + 1
    moved.run()
    assert PERSON not in moved.there(moved.first)
    ours = [e for name, e in moved.requests().items() if name.startswith("replay-")]
    (replayed,) = [e for e in ours if e.facts.subject == told.facts.subject]
    assert replayed.status == "erased"
    assert "erased before" not in replayed.facts.reason


class Waits(Unreported):
    """Somebody is asked first."""

    def seek_approval(self, batch, plans):
        return False


def test_a_table_that_was_closed_while_a_batch_waited_keeps_its_rows(moved):
    moved.submit("late", [PERSON, 20])
    (batch,) = open_batches.open_batches(moved.services)
    pipeline.process_batch(Waits(moved.services), batch, ["income"])
    close_table(moved.services, moved.first, name="Ada", reason="a copy of the next one")
    moved.run()
    assert {20, PERSON} <= moved.there(moved.first)
    assert 20 not in moved.there(moved.next)
    tables = {one["table"]: one for one in moved.certificate("late-20")["tables"]}
    assert set(tables) == {moved.first, moved.next}
    assert (tables[moved.first]["outcome"], "outcome" in tables[moved.next]) == ("gone", False)
    assert any(f"{moved.first} was closed" in one for one in alarms.alarms(moved.services))
