"""Legal holds that come while a batch is at work."""

import json
from dataclasses import asdict

import pytest
from deltalake import write_deltalake
from erased_world import GONE
from sent_requests import frozen, hold, release, statuses, submit
from small_tables import rows, subject
from worked_on import away, move_table, resolved

from tasks.attempts import planning
from tasks.attempts.already_forgotten import forgotten_subjects
from tasks.certificates import certificates
from tasks.certificates.traces import trace_subject
from tasks.erasure import batch_rows, files
from tasks.erasure import rows as rows_gone
from tasks.intake import batches
from tasks.journal.reading import read_batch
from tasks.report import mlflow_mirror
from tasks.store import lease
from tasks.subjects import late_holds, open_batches, resolution, suppression_list
from tasks.tables import deletion
from unlearning.errors import ConflictError, TransientError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_hold_placed_while_a_batch_waits_takes_the_request_out(services):
    submit(services, "one", 1, 2)
    batch = frozen(services)
    batches.validate(services, batch)
    hold(services, 1)
    with pytest.raises(ConflictError, match="1 subject of"):
        late_holds.refuse_held(services, batch)
    assert late_holds.withhold(services, batch) == 1
    assert late_holds.withhold(services, batch) == 0
    late_holds.refuse_held(services, batch)
    assert statuses(services.journal) == {"R-1": "on_hold", "R-2": "accepted"}
    assert batches.subjects(services, batch, "person") == ["person-2"]
    release(services, 1)
    assert len(open_batches.open_batches(services)) == 2


def test_a_run_that_was_replaced_takes_nobody_out(services):
    submit(services, "one", 1)
    batch = frozen(services)
    batches.validate(services, batch)
    hold(services, 1)
    other = lease.Holder("elsewhere", 1, "another machine", "", "token")
    services.store.put("lease/000001.json", json.dumps(asdict(other)).encode())
    with pytest.raises(ConflictError, match="process 1 on elsewhere"):
        late_holds.withhold(services, batch)
    assert statuses(services.journal) == {"R-1": "accepted"}


def stop_before(monkeypatch, world, module, name):
    """A run over requests of two subjects who are back is killed at this call."""
    world.deliver_again(1, 2)
    world.submit("r", [1, 2])
    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(KeyboardInterrupt):
            world.run()


def killed(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("module", "name"),
    [(rows_gone, "deletions"), (files, "vacuum"), (certificates, "bytes_digest")],
)
def test_a_hold_that_comes_after_the_deletion_is_late(world, monkeypatch, caplog, module, name):
    stop_before(monkeypatch, world, module, name)
    world.hold(1)
    world.run()
    assert not world.there() & set(GONE)
    assert {world.requests()[i].status for i in ("r-1", "r-2")} == {"erased"}
    assert world.certificate("r-1")["outcome"] == "erased"
    assert "ALARM: A legal hold was placed on 1 subject of" in caplog.text
    told = [e["name"] for one in trace_subject(world.services, subject(1)) for e in one["events"]]
    assert told.count("HoldTooLate") == 1
    world.release(1)
    before = world.effects()
    world.run()
    assert world.effects() == before


def test_a_hold_that_comes_before_the_deletion_keeps_rows_and_request(world, monkeypatch):
    stop_before(monkeypatch, world, batch_rows, "delete_rows")
    world.hold(1)
    world.run()
    assert world.there() & set(GONE) == {1}
    assert [world.requests()[i].status for i in ("r-1", "r-2")] == ["on_hold", "erased"]
    world.release(1)
    world.run()
    assert not world.there() & set(GONE)
    assert world.certificate("r-1")["outcome"] == "erased"


def test_whom_a_hold_keeps_out_of_the_batch_that_took_over_is_not_learned_again(world):
    world.submit("one", [50, 60])
    (one,) = open_batches.open_batches(world.services)
    batches.validate(world.services, one)
    resolution.resolve(world.services, one)
    world.unlearn(one, "income")
    plan = planning.plan(world.services, one, "income")
    assert plan is not None
    mlflow_mirror.block(world.services, plan, ["utility"], "Another model failed.")
    world.hold(50)
    world.submit("two", [70])
    world.run()
    assert [world.requests()[f"one-{n}"].status for n in (50, 60)] == ["on_hold", "erased"]
    assert world.there() & {50, 60} == {50}
    assert forgotten_subjects(world.services, world.enrolled()) == {subject(50)}


def test_a_hold_keeps_rows_in_one_table_that_are_gone_from_another(world, monkeypatch):
    write_deltalake(world.holdout, rows(1, first=1), mode="append")
    stop_before(monkeypatch, world, files, "vacuum")  # the holdout table comes first
    world.hold(1)
    world.hold(2)
    world.run()
    assert world.there() & set(GONE) == {1, 2}
    assert {world.requests()[i].status for i in ("r-1", "r-2")} == {"on_hold"}
    assert 1 not in world.there(world.holdout)
    assert deletion.leftover_files(world.services.settings, world.holdout) == 0


def test_a_hold_protects_rows_in_a_table_that_no_model_uses_any_more(world):
    batch = resolved(world, 50, 60)
    world.unlearn(batch, "income")
    suppression_list.suppress(world.services, batch)
    move_table(world, without=[50])
    world.hold(50)
    world.run()
    assert world.requests()["X-50"].status == "on_hold"
    assert world.requests()["X-60"].status == "erased"
    assert world.there() & {50, 60} == {50}


def test_a_hold_on_somebody_who_is_answered_holds_up_nobody(world, monkeypatch):
    batch = resolved(world, 50, 60)
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_mirror, "close", away)
        with pytest.raises(TransientError):
            world.process(batch)
    world.deliver_again(50)
    world.hold(50)
    world.run()
    assert read_batch(world.services.journal, batch).is_closed
    assert world.requests()["X-50"].status == "erased"
    assert 50 in world.there()
    assert world.replay()[1] == 1  # for the next run, where the hold counts
