"""Batches that wait for a person: asked once, answered once, and asked again when plans change."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tables import MARK, rows, subject, write_tables
from torch import nn

from tasks.approval import approvals, questions
from tasks.attempts import planning
from tasks.datasets.spec import DatasetSpec
from tasks.intake import batches
from tasks.models.enrollment import (
    Enrollment,
    enrolled_models,
    read_enrollment,
    record_enrollment,
    stream,
)
from tasks.models.timed_trainings import note_retrain
from tasks.registry import mlflow_registry
from tasks.report import mlflow_mirror
from tasks.store import journal
from tasks.subjects import late_holds, open_batches, resolution
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions
from unlearning.policy.ladder import NextRung

ROWS = 100
UNTIL_TEN = ApprovalPolicy(max_share=0.1)


class World:
    """Two tables, enrolled models whose alias points to version 1, and request files."""

    def __init__(self, store, folder, monkeypatch):
        self.store, self.champions = store, {}
        self.places = [f"file://{p}" for p in write_tables(folder, train=ROWS, holdout=20)]
        for module in (planning, mlflow_registry):
            monkeypatch.setattr(module, "alias_version", self.champions.get)

    def enroll(self, model="income", **changes):
        facts = {
            "model": model,
            "version": 1,
            "digest": model_digest(nn.Linear(40, 2).state_dict()),
            "dataset": DatasetSpec(self.places[0], ("features",), "label", "subject_id"),
            "dataset_version": 0,
            "row_count": ROWS,
            "holdout": self.places[1],
            "unlearning": UnlearningConfig(),
            "policy": GatePolicy(),
            "deletions": Deletions(trained_rows=ROWS),
            "approval": UNTIL_TEN,
        }
        enrollment = Enrollment(**(facts | changes))
        record_enrollment(self.store, enrollment)
        self.champions[model] = enrollment.version

    def reenroll(self, model="income", **changes):
        record_enrollment(self.store, replace(read_enrollment(self.store, model), **changes))

    def submit(self, name, numbers):
        lines = [
            {
                "request_id": f"R-{n}",
                "subject_id": subject(n),
                "received_at": f"2026-01-{2 + n % 5:02}T03:04:05Z",
            }
            for n in numbers
        ]
        text = "\n".join(json.dumps(line) for line in lines)
        self.store.put(f"requests/incoming/{name}.jsonl", text.encode())

    def batch(self, numbers, name="daily"):
        before = set(open_batches.unfinished(self.store))
        self.submit(name, numbers)
        (batch,) = set(open_batches.open_batches(self.store)) - before
        return batch

    def hold(self, number):
        text = json.dumps({"subject_id": subject(number)})
        self.store.put(f"requests/holds/{number}.jsonl", text.encode())

    def process(self, batch):
        """What the flow does up to the approval; whether the batch may go on."""
        batches.validate(self.store, batch)
        late_holds.withhold(self.store, batch)
        resolution.resolve(self.store, batch)
        return approvals.seek_approval(self.store, batch, self.plans(batch))

    def begin_to_erase(self, batch):
        """Promote what is planned, then record that rows of a table are gone."""
        for plan in self.plans(batch):
            facts = {"model": plan.model, "attempt": plan.key, "version": 2, "digest": "d2"}
            key = f"{plan.key}/promoted"
            for name in (batches.stream(batch), stream(plan.model)):
                entry = journal.Entry(name, key, "ChampionPromoted", {**facts, "batch": batch})
                journal.append(self.store, entry)
            self.champions[plan.model] = 2
        entry = journal.Entry(batches.stream(batch), "erased/t", "RowsErased", {"table": "t"})
        journal.append(self.store, entry)

    def plans(self, batch):
        models = [e.model for e in enrolled_models(self.store)]
        found = [planning.plan(self.store, batch, model) for model in models]
        return [plan for plan in found if plan is not None]

    def decide(self, batch, decision="approve", name="Ada", reason="checked the file"):
        return approvals.decide(self.store, batch, decision, name=name, reason=reason)

    def events(self, batch):
        return journal.read(self.store, batches.stream(batch))

    def asked(self, batch):
        return questions.latest_preflight(self.events(batch))

    def status(self, batch):
        return self.events(batch)[-1].status

    def requests(self):
        heads = journal.heads(self.store, "requests")
        return {e.facts["request_id"]: e for _, e in heads}

    def statuses(self):
        return {e.status for e in self.requests().values()}

    def objects(self):
        return [(i.key, i.version) for i in self.store.list_objects("")]


@pytest.fixture
def world(store, tmp_path, monkeypatch):
    made = World(store, tmp_path / "tables", monkeypatch)
    made.enroll()
    return made


def test_a_batch_within_the_limits_asks_nobody(world):
    batch = world.batch(range(10))
    assert world.process(batch)
    assert world.asked(batch) is None
    assert questions.waiting(world.store) == []
    with pytest.raises(ConflictError, match="does not wait for approval, it is validated"):
        world.decide(batch)


def test_a_batch_above_the_limits_waits_and_a_second_look_changes_nothing(world):
    batch = world.batch(range(11))
    assert not world.process(batch)
    assert world.status(batch) == "waiting"
    before = world.objects()
    assert not world.process(batch)
    assert world.objects() == before
    assert [(s, p.batch) for s, p in questions.waiting(world.store)] == [("waiting", batch)]
    assert approvals.outdated(world.store) == []


def test_the_preflight_says_what_is_known_and_names_nobody(world):
    batch = world.batch(range(30))
    world.process(batch)
    asked = world.asked(batch)
    (model,) = asked.models
    assert (asked.batch, asked.number, asked.due_on) == (batch, 1, "2026-02-02")
    assert (model.forget_count, model.row_count, model.share) == (30, ROWS, 0.3)
    assert (model.parent_version, model.is_serving) == (1, True)
    # The deletion budget forces a retrain, and a person must know that.
    assert model.method == "retrain"
    assert (model.seconds, model.holdout_change, model.power) == (None, None, None)
    assert model.retrain_seconds is None
    assert "a retrain takes nobody knows how long" in questions.describe(world.store, batch)
    assert asked.reasons == ["income has to forget 30 of 100 rows (30.0%); without approval 10.0%."]
    assert "30 of 100 rows (30.0%), retrain" in questions.describe(world.store, batch)
    for info in world.store.list_objects("journal/"):
        assert MARK.encode() not in world.store.get(info.key)


def test_the_preflight_says_how_long_a_retrain_would_take(world):
    config = UnlearningConfig().retraining
    note_retrain(world.store, "income", "a-0", config, 50, 100.0)
    batch = world.batch(range(30))
    world.process(batch)
    (model,) = world.asked(batch).models
    # Of 100 rows 30 are forgotten, and the earlier one took 100 seconds for 50 rows.
    assert model.retrain_seconds == pytest.approx(140.0)
    assert (model.method, model.seconds) == ("retrain", model.retrain_seconds)
    assert "a retrain takes 2.3 minutes" in questions.describe(world.store, batch)


def test_served_models_come_first_then_the_largest_share(world):
    world.enroll("a-small", row_count=10 * ROWS)
    world.enroll("z-large", row_count=ROWS // 2)
    world.enroll("retired", row_count=ROWS // 2)
    batch = world.batch(range(20))
    batches.validate(world.store, batch)
    resolution.resolve(world.store, batch)
    plans = world.plans(batch)
    world.champions["retired"] = 7
    assert not approvals.seek_approval(world.store, batch, plans)
    names = [m.model for m in world.asked(batch).models]
    assert names == ["z-large", "income", "a-small", "retired"]
    assert [m.is_serving for m in world.asked(batch).models] == [True, True, True, False]
    assert len(world.asked(batch).reasons) == 3


def test_earlier_candidates_of_the_same_method_say_what_to_expect(world, monkeypatch):
    name = batches.stream("b-earlier")
    clock = [datetime(2026, 6, 1, tzinfo=UTC)]
    monkeypatch.setattr(journal, "now", lambda: clock[0])

    def happen(event_id, event, seconds=0, **facts):
        clock[0] += timedelta(seconds=seconds)
        journal.append(world.store, journal.Entry(name, event_id, event, facts))

    happen("frozen", "BatchFrozen")
    for key, method, seconds, after in (("a-1", "calibrated", 4, 0.78), ("a-2", "retrain", 900, 0)):
        plan = {"key": key, "model": "income", "method": method}
        happen(f"{key}/planned", "UnlearningPlanned", **plan, forget_count=4, row_count=ROWS)
        happen(f"{key}/unlearned/intent", "EffectIntended")
        happen(f"{key}/unlearned", "CandidateMade", seconds)
        reports = {"before": {"holdout_accuracy": 0.8}, "after": {"holdout_accuracy": after}}
        happen(f"{key}/evaluated", "CandidateEvaluated", 60, **reports)
    happen("validated", "BatchValidated")
    happen("closed", "BatchClosed")
    world.reenroll(approval=ApprovalPolicy(max_share=0.01))
    batch = world.batch(range(8))
    world.process(batch)
    (model,) = world.asked(batch).models
    assert model.method == "calibrated"
    assert model.seconds == pytest.approx(8.0)
    assert model.holdout_change == pytest.approx(-0.04)
    assert model.power is None


def test_an_approved_batch_goes_on_and_stays_approved_on_every_rung(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch)
    assert world.process(batch)
    assert world.status(batch) == "validated"
    (plan,) = world.plans(batch)
    planning.climb(
        world.store, plan, NextRung(rung="retrain", method="retrain", reason="not enough")
    )
    assert world.plans(batch)[0].key != plan.key
    before = world.objects()
    assert world.process(batch)
    assert world.objects() == before
    assert questions.approver(world.events(batch)) == "Ada"
    with pytest.raises(ConflictError, match="it is validated and approved by Ada"):
        world.decide(batch, "reject")


def test_a_rejection_blocks_the_requests_until_somebody_approves(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch, "reject", name="Grace", reason="wrong file")
    assert world.statuses() == {"blocked"}
    reason = world.requests()["R-3"].facts["reason"]
    assert reason == f"Grace rejected batch {batch}: wrong file"
    before = world.objects()
    assert not world.process(batch)
    assert world.objects() == before
    with pytest.raises(ConflictError, match="it is rejected"):
        world.decide(batch, "reject")

    # Requests of the next day go their own way.
    other = world.batch(range(50, 55), "next-day")
    assert world.process(other)
    assert len(batches.accepted(world.store, other)) == 5

    world.decide(batch)
    assert world.statuses() == {"accepted"}
    assert world.requests()["R-3"].name == "RequestUnblocked"
    assert world.process(batch)
    assert questions.approver(world.events(batch)) == "Ada"


def test_neither_a_wider_policy_nor_another_plan_overrules_a_rejection(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch, "reject")
    world.reenroll(approval=ApprovalPolicy(max_share=1.0))
    assert not world.process(batch)
    world.reenroll(unlearning=UnlearningConfig(seed=5))
    assert not world.process(batch)
    assert (world.status(batch), world.asked(batch).number) == ("rejected", 2)
    world.decide(batch)
    assert world.process(batch)


def test_a_wider_policy_takes_the_question_back(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.reenroll(approval=ApprovalPolicy(max_share=1.0))
    assert world.process(batch)
    assert (world.events(batch)[-1].name, world.status(batch)) == ("ApprovalWithdrawn", "validated")
    assert questions.approver(world.events(batch)) == ""
    world.reenroll(approval=UNTIL_TEN)
    assert not world.process(batch)
    assert world.asked(batch).number == 2


def test_a_hold_makes_an_approval_stale(world):
    batch = world.batch(range(12))
    world.process(batch)
    first = world.decide(batch)
    world.hold(3)
    assert not world.process(batch)
    asked = world.asked(batch)
    assert (asked.number, asked.models[0].forget_count) == (2, 11)
    assert asked.digest != first.digest
    world.hold(4)
    with pytest.raises(ConflictError, match="legal hold"):
        world.decide(batch)
    # Ten are left, which nobody needs to approve.
    assert world.process(batch)


def test_a_hold_on_somebody_whom_the_model_never_saw_changes_no_plan(world):
    batch = world.batch([*range(11), ROWS + 3])
    world.process(batch)
    world.decide(batch)
    world.hold(ROWS + 3)
    assert world.process(batch)
    before = world.objects()
    assert world.process(batch)
    assert world.objects() == before
    assert world.asked(batch).number == 1


def test_what_others_change_makes_the_question_outdated(world):
    batch = world.batch(range(11))
    world.process(batch)
    original = read_enrollment(world.store, "income").unlearning
    world.reenroll(unlearning=replace(original, seed=5))
    assert approvals.outdated(world.store) == [batch]
    with pytest.raises(ConflictError, match="changed since people were asked"):
        world.decide(batch)
    assert not world.process(batch)
    assert world.asked(batch).number == 2
    # Back to the first plan: it must be possible to approve that as well.
    world.reenroll(unlearning=original)
    assert not world.process(batch)
    assert approvals.outdated(world.store) == []
    world.decide(batch)
    assert world.process(batch)


def test_another_batch_that_goes_on_makes_the_question_outdated(world):
    batch = world.batch(range(11))
    world.process(batch)
    facts = {"version": 2, "digest": "d2", "forget_count": 5, "method": "calibrated"}
    name = stream("income")
    journal.append(world.store, journal.Entry(name, "p", "ChampionPromoted", facts))
    world.champions["income"] = 2
    assert approvals.outdated(world.store) == [batch]
    assert not world.process(batch)
    assert world.asked(batch).models[0].parent_version == 2
    assert approvals.outdated(world.store) == []


def test_a_table_that_another_batch_erased_from_makes_the_plan_another(world):
    batch = world.batch(range(11))
    world.process(batch)
    (before,) = world.plans(batch)
    from deltalake import write_deltalake

    write_deltalake(world.places[0], rows(3, first=500), mode="append")
    facts = {"dataset_version": 1, "row_count": ROWS + 3}
    journal.append(world.store, journal.Entry(stream("income"), "s", "SnapshotAdvanced", facts))
    assert approvals.outdated(world.store) == [batch]
    (after,) = world.plans(batch)
    assert (before.dataset_version, after.dataset_version) == (0, 1)


def test_a_model_that_is_enrolled_meanwhile_is_asked_about_too(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.enroll("late")
    assert approvals.outdated(world.store) == [batch]
    assert not world.process(batch)
    assert {m.model for m in world.asked(batch).models} == {"income", "late"}


def test_a_model_that_is_withdrawn_needs_no_new_answer(world):
    world.enroll("hopeless")
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch)
    entry = journal.Entry(stream("hopeless"), "w", "ModelWithdrawn", {"batch": batch})
    journal.append(world.store, entry)
    world.champions["hopeless"] = None
    assert [p.model for p in world.plans(batch)] == ["income"]
    assert world.process(batch)


def test_half_an_erasure_asks_nobody_about_what_was_carried_out(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch)
    world.begin_to_erase(batch)
    world.reenroll(approval=ApprovalPolicy(always=True), unlearning=UnlearningConfig(seed=5))
    assert world.process(batch)
    assert world.status(batch) == "erasing"


def test_a_model_that_is_enrolled_when_rows_are_gone_keeps_its_limits(world):
    batch = world.batch(range(5))
    assert world.process(batch)
    world.begin_to_erase(batch)
    world.enroll("late", approval=ApprovalPolicy(max_share=0.01))
    for _ in range(2):
        assert not world.process(batch)
    assert world.status(batch) == "half_erased"
    assert [m.model for m in world.asked(batch).models] == ["late"]
    assert [status for status, _ in questions.waiting(world.store)] == ["half_erased"]
    assert approvals.outdated(world.store) == []
    with pytest.raises(ConflictError, match="cannot be rejected; approve it"):
        world.decide(batch, "reject")
    world.decide(batch)
    assert world.status(batch) == "erasing"
    assert world.process(batch)


def test_limits_that_are_widened_when_rows_are_gone_take_the_question_back(world):
    batch = world.batch(range(5))
    world.process(batch)
    world.begin_to_erase(batch)
    world.enroll("late", approval=ApprovalPolicy(max_share=0.01))
    world.process(batch)
    world.reenroll("late", approval=UNTIL_TEN)
    assert world.process(batch)
    assert world.status(batch) == "erasing"


def test_a_batch_that_is_blocked_when_rows_are_gone_is_taken_over_by_none(world):
    batch = world.batch(range(5))
    world.process(batch)
    world.begin_to_erase(batch)
    world.enroll("late")
    late = planning.plan(world.store, batch, "late")
    for _ in range(2):
        mlflow_mirror.block(world.store, late, ["holdout_accuracy_loss"], "No rung was enough.")
    assert world.status(batch) == "erasing"
    assert world.statuses() == {"blocked"}
    other = world.batch([50], "next-day")
    assert open_batches.open_batches(world.store) == [batch, other]
    batches.validate(world.store, other)
    assert len(batches.accepted(world.store, other)) == 1


def test_a_batch_whose_every_request_is_held_waits_for_nobody(world):
    world.reenroll(approval=ApprovalPolicy(always=True))
    batch = world.batch([1])
    world.process(batch)
    world.decide(batch, "reject")
    world.hold(1)
    assert world.process(batch)
    assert world.status(batch) == "validated"


def test_an_answer_to_an_older_question_is_none(world):
    batch = world.batch(range(11))
    world.process(batch)
    first = world.asked(batch)
    world.reenroll(unlearning=UnlearningConfig(seed=5))
    world.process(batch)
    # Given in the moment in which the second question was asked.
    facts = {"name": "Ada", "reason": "", "preflight": first.digest, "number": first.number}
    journal.append(
        world.store, journal.Entry(batches.stream(batch), "late", "BatchApproved", facts)
    )
    assert not world.process(batch)
    assert (world.status(batch), world.asked(batch).number) == ("waiting", 3)


@pytest.mark.parametrize(("decision", "status"), [("approve", "accepted"), ("reject", "blocked")])
def test_an_answer_that_was_interrupted_is_carried_out_by_the_next_run(
    world, monkeypatch, decision, status
):
    batch = world.batch(range(11))
    world.process(batch)
    if decision == "approve":
        world.decide(batch, "reject")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(approvals, "tell_located", killed)
        with pytest.raises(KeyboardInterrupt):
            world.decide(batch, decision)
    assert world.statuses() != {status}
    assert world.process(batch) == (decision == "approve")
    assert world.statuses() == {status}
    assert len([e for e in world.events(batch) if e.name == "RequestsSettled"]) == (
        2 if decision == "approve" else 1
    )


@pytest.mark.parametrize(
    ("batch", "decision", "name", "reason", "error", "match"),
    [
        ("", "approve", " ", "", SettingsError, "--by NAME"),
        ("", "reject", "Ada", "\t", SettingsError, "--reason TEXT"),
        ("b-none", "approve", "Ada", "", DataError, "no batch 'b-none'"),
        ("b-none", "reject", "Ada", "why", DataError, "no batch 'b-none'"),
    ],
)
def test_an_answer_that_cannot_be_taken_says_what_to_do(
    world, batch, decision, name, reason, error, match
):
    real = world.batch(range(11))
    world.process(real)
    before = world.objects()
    with pytest.raises(error, match=match):
        world.decide(batch or real, decision, name, reason)
    assert world.objects() == before
