"""Batches that wait for a person: asked once, answered once, and asked again when plans change."""

from dataclasses import replace

import pytest
from deltalake import write_deltalake
from factories import advanced, attempt, frozen, happen, promotion, validated
from small_tables import rows

from tasks.approval import approvals, questions
from tasks.attempts import planning
from tasks.intake import batches
from tasks.journal.events.batches import BatchApproved, BatchClosed, RequestsTold
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.events.requests import RequestUnblocked
from tasks.journal.reading import read_enrollment
from tasks.report import mlflow_mirror
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError, DataError, SettingsError
from unlearning.policy.ladder import NextRung

ROWS = 100
UNTIL_TEN = ApprovalPolicy(max_share=0.1)


def test_a_batch_within_the_limits_asks_nobody(world):
    batch = world.batch(range(10))
    assert world.process(batch)
    assert world.asked(batch) is None
    assert questions.waiting(world.services) == []
    with pytest.raises(ConflictError, match="does not wait for approval, it is validated"):
        world.decide(batch)


def test_a_batch_above_the_limits_waits_and_a_second_look_changes_nothing(world):
    batch = world.batch(range(11))
    assert not world.process(batch)
    assert world.status(batch) == "waiting"
    before = world.objects()
    assert not world.process(batch)
    assert world.objects() == before
    assert [(s, p.batch) for s, p in questions.waiting(world.services)] == [("waiting", batch)]
    assert approvals.outdated(world.services) == []


def test_an_approved_batch_goes_on_and_stays_approved_on_every_rung(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch)
    assert world.process(batch)
    assert world.status(batch) == "validated"
    (plan,) = world.plans(batch)
    planning.climb(
        world.services, plan, NextRung(rung="retrain", method="retrain", reason="not enough")
    )
    assert world.plans(batch)[0].key != plan.key
    before = world.objects()
    assert world.process(batch)
    assert world.objects() == before
    assert world.history(batch).approver == "Ada"
    with pytest.raises(ConflictError, match="it is validated and approved by Ada"):
        world.decide(batch, "reject")


def test_a_rejection_blocks_the_requests_until_somebody_approves(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch, "reject", name="Grace", reason="wrong file")
    assert world.statuses() == {"blocked"}
    reason = world.requests()["R-3"].facts.reason
    assert reason == f"Grace rejected batch {batch}: wrong file"
    before = world.objects()
    assert not world.process(batch)
    assert world.objects() == before
    with pytest.raises(ConflictError, match="it is rejected"):
        world.decide(batch, "reject")

    # Requests of the next day go their own way.
    other = world.batch(range(50, 55), "next-day")
    assert world.process(other)
    assert len(batches.accepted(world.services, other)) == 5

    world.decide(batch)
    assert world.statuses() == {"accepted"}
    assert isinstance(world.requests()["R-3"].facts, RequestUnblocked)
    assert world.process(batch)
    assert world.history(batch).approver == "Ada"


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
    assert world.status(batch) == "validated"
    assert world.history(batch).approver == ""
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
    original = read_enrollment(world.services.journal, "income").unlearning
    world.reenroll(unlearning=replace(original, seed=5))
    assert approvals.outdated(world.services) == [batch]
    with pytest.raises(ConflictError, match="changed since people were asked"):
        world.decide(batch)
    assert not world.process(batch)
    assert world.asked(batch).number == 2
    # Back to the first plan: it must be possible to approve that as well.
    world.reenroll(unlearning=original)
    assert not world.process(batch)
    assert approvals.outdated(world.services) == []
    world.decide(batch)
    assert world.process(batch)


def test_another_batch_that_goes_on_makes_the_question_outdated(world):
    batch = world.batch(range(11))
    world.process(batch)
    other = attempt(batch="b-other")
    happen(world.journal, other.batch, f=frozen(), v=validated(), c=BatchClosed())
    world.journal.append(model_stream("income"), other.ids.promoted, promotion(other))
    world.champions["income"] = 2
    assert approvals.outdated(world.services) == [batch]
    assert not world.process(batch)
    assert world.asked(batch).models[0].parent_version == 2
    assert approvals.outdated(world.services) == []


def test_a_table_that_another_batch_erased_from_makes_the_plan_another(world):
    batch = world.batch(range(11))
    world.process(batch)
    (before,) = world.plans(batch)
    write_deltalake(world.places[0], rows(3, first=500), mode="append")
    world.journal.append(model_stream("income"), "s", advanced(1, ROWS + 3))
    assert approvals.outdated(world.services) == [batch]
    (after,) = world.plans(batch)
    assert (before.dataset_version, after.dataset_version) == (0, 1)


def test_a_model_that_is_enrolled_meanwhile_is_asked_about_too(world):
    batch = world.batch(range(11))
    world.process(batch)
    world.enroll("late")
    assert approvals.outdated(world.services) == [batch]
    assert not world.process(batch)
    assert {m.model for m in world.asked(batch).models} == {"income", "late"}


def test_a_model_that_is_withdrawn_needs_no_new_answer(world):
    world.enroll("hopeless")
    batch = world.batch(range(11))
    world.process(batch)
    world.decide(batch)
    withdrawn = ModelWithdrawn(attempt="a-1", batch=batch)
    world.journal.append(model_stream("hopeless"), "w", withdrawn)
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
    assert [status for status, _ in questions.waiting(world.services)] == ["half_erased"]
    assert approvals.outdated(world.services) == []
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
    late = planning.plan(world.services, batch, "late")
    assert late is not None
    for _ in range(2):
        mlflow_mirror.block(world.services, late, ["holdout_accuracy_loss"], "No rung was enough.")
    assert world.status(batch) == "erasing"
    assert world.statuses() == {"blocked"}
    other = world.batch([50], "next-day")
    assert open_batches.open_batches(world.services) == [batch, other]
    batches.validate(world.services, other)
    assert len(batches.accepted(world.services, other)) == 1


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
    late = BatchApproved(name="Ada", reason="", preflight=first.digest, number=first.number)
    world.journal.append(batch_stream(batch), "late", late)
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
        patch.setattr(approvals, "tell_requests_with_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            world.decide(batch, decision)
    assert world.statuses() != {status}
    assert world.process(batch) == (decision == "approve")
    assert world.statuses() == {status}
    told = [e for e in world.journal.read(batch_stream(batch)) if isinstance(e.facts, RequestsTold)]
    assert len(told) == (2 if decision == "approve" else 1)


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
