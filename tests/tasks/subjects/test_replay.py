"""Whoever was erased stays erased: after a restore, and after a second delivery."""

import json

import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS
from small_tables import rows, subject

from tasks.certificates import certificates
from tasks.erasure import batch_rows, files, snapshots
from tasks.intake import inbox
from tasks.journal.events.models import SnapshotRestored
from tasks.subjects import suppression_list
from tasks.tables import deletion

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_restored_table_is_erased_again_and_the_model_is_left_alone(world):
    digest = world.enrolled().digest
    world.restore()
    assert world.there() >= set(GONE)

    assert world.replay() == ([], len(GONE))
    (restored,) = world.events(SnapshotRestored)
    assert restored.facts.erased_rows == len(GONE)
    assert world.enrolled().row_count == ROWS - len(GONE)
    before = world.effects()
    assert world.replay() == ([], 0)
    assert world.effects() == before

    world.run()
    assert not world.there() & set(GONE)
    assert len(world.there()) == ROWS - len(GONE)
    assert (world.champion(), world.enrolled().digest) == (2, digest)
    assert world.enrolled().row_count == ROWS - len(GONE)
    replays = {i: e for i, e in world.requests().items() if i.startswith("replay-")}
    assert {e.status for e in replays.values()} == {"erased"}
    assert len(replays) == len(GONE)
    for name, event in replays.items():
        (first,) = world.certificate(name)["earlier_certificates"]
        pseudonym = event.facts.subject
        assert json.loads(world.store.get(first))["request"]["subject_pseudonym"] == pseudonym
        assert first.startswith("certificates/R-")
        assert first in event.facts.reason


def test_after_a_replay_all_is_as_ever(world):
    world.restore()
    world.replay()
    world.run()
    before = world.effects()
    assert world.replay() == ([], 0)
    world.run()
    assert world.effects() == before
    world.submit("next", range(20, 30))
    world.run()
    assert world.champion() == 3
    assert not world.there() & {*GONE, *range(20, 30)}


def test_the_same_copy_restored_twice_is_erased_twice(world):
    for _ in range(2):
        world.restore()
        assert world.replay() == ([], len(GONE))
        world.run()
        assert not world.there() & set(GONE)
    replays = [e.status for i, e in world.requests().items() if i.startswith("replay-")]
    assert replays == ["erased"] * 2 * len(GONE)


def test_a_copy_that_lacks_rows_of_others_is_left_to_people(world):
    world.restore()
    DeltaTable(world.table).delete(f"subject_id = '{subject(100)}'")
    deletion.vacuum(world.services.settings, world.table)
    (why,), count = world.replay()
    assert "1 of the rows that income learned are not in the newest one" in why
    assert "restore a copy with all of them" in why
    assert count == len(GONE)
    assert world.events(SnapshotRestored) == []


def test_a_table_that_grew_since_is_no_restored_table(world):
    write_deltalake(world.table, rows(3, first=900), mode="append")
    before = world.effects()
    assert world.replay() == ([], 0)
    assert world.effects() == before


def test_rows_delivered_again_are_found_by_the_replay(world):
    world.deliver_again(1, 2)
    assert world.replay() == ([], 2)
    world.run()
    assert not world.there() & set(GONE)
    assert world.champion() == 2


def test_whoever_is_back_under_a_hold_waits_and_is_asked_for_once(world):
    hold = json.dumps({"subject_id": subject(1)}).encode()
    world.store.put("requests/holds/court.jsonl", hold)
    world.deliver_again(1, 2)
    assert world.replay() == ([], 2)
    world.run()
    assert world.there() & set(GONE) == {1}
    assert sorted(e.status for i, e in world.requests().items() if i.startswith("replay-")) == [
        "erased",
        "on_hold",
    ]
    assert world.replay() == ([], 0)
    assert world.enrolled().row_count == ROWS - len(GONE)
    world.store.delete("requests/holds/court.jsonl")
    world.run()
    assert not world.there() & set(GONE)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (suppression_list, "suppress"),
        (batch_rows, "delete_rows"),
        (files, "purge_files"),
        (snapshots, "advance_models"),
        (certificates, "certify"),
    ],
)
def test_a_replay_that_is_killed_goes_on_where_it_was(world, monkeypatch, module, name):
    world.restore()
    world.replay()
    with monkeypatch.context() as patch:
        real = getattr(module, name)

        def die(*arguments):
            real(*arguments)
            raise KeyboardInterrupt

        patch.setattr(module, name, die)
        with pytest.raises(KeyboardInterrupt):
            world.run()
    world.replay()
    world.run()
    assert not world.there() & set(GONE)
    assert world.champion() == 2
    replays = [e.status for i, e in world.requests().items() if i.startswith("replay-")]
    assert replays == ["erased"] * len(GONE)
    assert world.replay() == ([], 0)


def test_a_replay_reads_the_open_requests_alone_to_see_who_was_asked_for(world):
    world.deliver_again(1, 2)
    assert world.replay() == ([], 2)
    (waiting,) = inbox.new_files(world.services)
    text = world.store.get(waiting.key).decode()
    ids = [json.loads(line)["request_id"] for line in text.splitlines()]
    assert all(one.startswith("replay-") for one in ids)
    assert world.replay() == ([], 0)  # they wait, though no run has taken them yet
