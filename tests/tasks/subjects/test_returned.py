"""Whoever comes back with new rows is neither erased nor learned until somebody decides."""

import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import rows, subject

from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import ReturnDecided
from tasks.subjects import replay, suppression_list
from tasks.subjects.reappearance import suppressed_ids
from tasks.subjects.returned import reinstate, why_waiting
from unlearning.errors import DataError, SettingsError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

BACK = 3
ADA = {"name": "Ada", "reason": "a new contract"}


@pytest.fixture
def returned(world):
    """One of the erased is in the table again, with other values."""
    write_deltalake(world.table, rows(1, first=BACK, seed=77), mode="append")
    return world


def pseudonym(world):
    return world.requests()[f"R-{BACK}"].facts.subject


def replays(world):
    return {name: e.status for name, e in world.requests().items() if name.startswith("replay-")}


def test_new_rows_wait_for_somebody_and_nothing_learns_from_them(returned):
    for _ in range(2):
        assert returned.replay() == ([], 0)
    returned.run()
    assert BACK in returned.there()
    assert replays(returned) == {}
    (why,) = why_waiting(returned.services)
    who = pseudonym(returned)
    assert f"expunge reinstate {who} --by NAME --reason TEXT" in why
    assert "1 row of subject" in why
    assert len(suppressed_ids(returned.services, returned.enrolled().dataset, None)) == 1


def test_rows_that_were_erased_are_asked_for_again_beside_them(returned):
    returned.deliver_again(1, 2)
    assert returned.replay() == ([], 2)
    returned.run()
    assert returned.there() & {1, 2, BACK} == {BACK}
    assert len(replays(returned)) == 2


def test_who_has_both_waits_for_somebody(returned):
    returned.deliver_again(BACK)
    assert returned.replay() == ([], 0)
    (why,) = why_waiting(returned.services)
    assert why.startswith("2 rows of subject")


def test_a_reinstated_subject_is_learned_from_and_left_alone(returned):
    returned.replay()
    who = pseudonym(returned)
    with pytest.raises(SettingsError, match="--reason TEXT"):
        reinstate(returned.services, who, name="Ada", reason="")
    with pytest.raises(DataError, match="on the suppression list"):
        reinstate(returned.services, "nobody", **ADA)
    reinstate(returned.services, who, **ADA)
    assert who not in suppression_list.load(returned.services).subjects
    assert why_waiting(returned.services) == []
    assert returned.replay() == ([], 0)
    assert suppressed_ids(returned.services, returned.enrolled().dataset, None) == []
    (record,) = (n for n, e in returned.services.journal.requests() if e.facts.subject == who)
    last = returned.services.journal.read(request_stream(record))[-1]
    assert isinstance(last.facts, ReturnDecided)
    assert (last.status, last.facts.name, last.facts.decision) == ("erased", "Ada", "reinstate")
    returned.submit("again", [BACK])
    returned.run()
    assert BACK not in returned.there()
    assert returned.requests()[f"again-{BACK}"].status == "erased"
    assert who in suppression_list.load(returned.services).subjects


def test_a_subject_who_is_asked_for_again_is_erased_by_the_next_run(returned):
    who = pseudonym(returned)
    assert replay.erase_again(returned.services, who, **ADA) == 1
    with pytest.raises(DataError, match="asked for already"):
        replay.erase_again(returned.services, who, **ADA)
    returned.run()
    assert BACK not in returned.there()
    assert set(replays(returned).values()) == {"erased"}
    assert why_waiting(returned.services) == []


def test_an_ordinary_request_erases_them_as_well(returned):
    returned.replay()
    returned.submit("again", [BACK])
    returned.run()
    assert BACK not in returned.there()
    assert returned.requests()[f"again-{BACK}"].status == "erased"


def test_who_waits_in_one_table_is_asked_for_in_none(world):
    write_deltalake(world.holdout, rows(1, first=BACK, seed=77), mode="append")
    world.deliver_again(1, BACK)
    assert world.replay() == ([], 1)
    world.run()
    assert BACK in world.there(world.holdout) & world.there()
    assert 1 not in world.there()
    (why,) = why_waiting(world.services)
    assert f"row of subject {pseudonym(world)}" in why
    assert world.holdout in why
    assert replay.erase_again(world.services, pseudonym(world), **ADA) == 1
    world.run()
    assert BACK not in world.there(world.holdout) | world.there()


@pytest.fixture
def deleted_before(world):
    """Others had deleted the rows of one subject before these were erased from the model."""
    DeltaTable(world.table).delete(f"subject_id = '{subject(50)}'")
    world.submit("G", [50])
    world.run()
    assert world.requests()["G-50"].status == "erased"
    return world


def test_a_new_row_waits_where_the_rows_before_were_deleted_by_others(deleted_before):
    world = deleted_before
    write_deltalake(world.table, rows(1, first=50, seed=99), mode="append")
    assert world.replay() == ([], 0)
    world.run()
    assert 50 in world.there()
    (why,) = why_waiting(world.services)
    assert world.requests()["G-50"].facts.subject in why


def test_a_row_that_a_roster_knows_is_asked_for_where_others_had_deleted_it(deleted_before):
    deleted_before.deliver_again(50)
    assert deleted_before.replay() == ([], 1)
    deleted_before.run()
    assert 50 not in deleted_before.there()


@pytest.mark.parametrize("is_written", [False, True])
def test_a_reinstatement_that_was_cut_off_says_who_decided_once(returned, monkeypatch, is_written):
    who, store = pseudonym(returned), returned.services.store

    def killed(key, data):
        if is_written:
            type(store).put_if_absent(store, key, data)
        if key.startswith(suppression_list.WITHOUT):
            raise KeyboardInterrupt
        return type(store).put_if_absent(store, key, data)

    with monkeypatch.context() as patch:
        patch.setattr(store, "put_if_absent", killed)
        with pytest.raises(KeyboardInterrupt):
            reinstate(returned.services, who, **ADA)
    if not is_written:
        reinstate(returned.services, who, **ADA)
    assert who not in suppression_list.load(returned.services).subjects
    journal = returned.services.journal
    (record,) = (n for n, e in journal.requests() if e.facts.subject == who)
    said = [e.facts for e in journal.read(request_stream(record))]
    assert [one.name for one in said if isinstance(one, ReturnDecided)] == ["Ada"]
