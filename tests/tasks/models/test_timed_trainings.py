"""A retrain's length: read from the model's stream, shown to people, and held to the due date."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tasks.attempts import attempt as attempt_events
from tasks.attempts import candidates, failures, ladder, planning
from tasks.attempts.attempt import Attempt
from tasks.datasets.spec import DatasetSpec
from tasks.intake import batches
from tasks.models import timed_trainings
from tasks.models.enrollment import Enrollment, record_enrollment, stream
from tasks.store import journal
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnfitRowsError, UnsupportedModelError
from unlearning.evidence.evidence import Outcome
from unlearning.gate.gate import GateDecision, no_candidate
from unlearning.gate.gate_checks import Check
from unlearning.policy.budget import Deletions
from unlearning.policy.deadlines import Forecast

TRAINING = TrainingConfig(epochs=10)
ENROLLED = Enrollment(
    model="income",
    version=1,
    digest="d1",
    dataset=DatasetSpec("file:///train", ("features",), "label", "subject_id"),
    dataset_version=0,
    row_count=1_000,
    holdout="file:///holdout",
    unlearning=UnlearningConfig(retraining=TRAINING),
    policy=GatePolicy(withdraw_days=3),
    deletions=Deletions(trained_rows=1_000),
)
ATTEMPT = Attempt(
    key="a-1",
    batch="b-1",
    model="income",
    parent_version=1,
    parent_digest="d1",
    dataset="file:///train",
    dataset_version=0,
    holdout_version=0,
    row_count=1_000,
    forget_count=1,
    forget_digest="f",
    config_digest="c",
    method="calibrated",
)
RETRAIN = replace(ATTEMPT, method="retrain", rung="retrain")


def told(store, *seconds_of_a_row):
    for number, pace in enumerate(seconds_of_a_row):
        timed_trainings.note_retrain(store, "income", f"a-{number}", TRAINING, 100, pace * 1_000)


@pytest.fixture
def begun(store, monkeypatch):
    record_enrollment(store, ENROLLED)
    journal.append(store, journal.Entry("batches/b-1", "frozen", "BatchFrozen", {}))
    monkeypatch.setattr(journal, "now", lambda: datetime(2026, 1, 20, 12, tzinfo=UTC))
    received = SimpleNamespace(received_at="2026-01-02T03:04:05+00:00")
    monkeypatch.setattr(batches, "accepted", lambda *_: [received])
    monkeypatch.setattr(ladder, "_retrain_obstacle", lambda *_: "")
    return store


def test_nothing_is_known_before_a_training_was_timed(begun):
    facts = {"references": "r", "recall": {}}  # as older releases wrote it
    journal.append(
        begun, journal.Entry(stream("income"), "references/r", "ReferencesStored", facts)
    )
    assert timed_trainings.retrain_forecast(begun, ENROLLED, 50) is None


def test_references_and_retrains_of_the_same_kind_tell(begun, monkeypatch):
    told(begun, 0.02, 0.04)
    facts = {"references": "r", "timed": timed_trainings.timing(TRAINING, 50, 30.0)}
    journal.append(
        begun, journal.Entry(stream("income"), "references/r", "ReferencesStored", facts)
    )
    found = timed_trainings.retrain_forecast(begun, ENROLLED, 50)
    assert found is not None
    assert found.expected == pytest.approx(0.04 * 950 * 10)
    other = replace(ENROLLED.unlearning, retraining=replace(TRAINING, batch_size=32))
    assert timed_trainings.retrain_forecast(begun, replace(ENROLLED, unlearning=other), 50) is None
    monkeypatch.setattr(timed_trainings, "pick_device", lambda: "cuda")
    assert timed_trainings.retrain_forecast(begun, ENROLLED, 50) is None


def rejected(outcome: Outcome = "cannot decide"):
    failed = Check(name="power", value=0, lower=1, upper=None, passed=False, meaning="No.")
    return GateDecision(passed=False, checks=(failed,), outcome=outcome)


def chosen(store):
    (event,) = [e for e in journal.read(store, "batches/b-1") if e.name == "RungChosen"]
    return event.facts


def test_a_retrain_that_certainly_ends_too_late_is_skipped_and_the_trail_says_so(begun):
    told(begun, 500.0)  # 1,000 rows less 1, 10 epochs: 57.8 days, 14.5 at the least; 13 are left
    step = ladder.choose_rung(begun, ATTEMPT, rejected())
    assert step.rung == "wait"
    assert "57.8 days, at the very least 14.5 days" in step.reason
    facts = chosen(begun)
    assert facts["obstacle"] in step.reason
    assert facts["retrain_seconds"] == pytest.approx(500 * 999 * 10)


def test_rows_that_do_not_fit_withdraw_no_model_before_people_were_told(begun, monkeypatch):
    monkeypatch.setattr(journal, "now", lambda: datetime(2027, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(ladder, "_untried", lambda *_: "")
    overdue = replace(ATTEMPT, rung="retrain", method="retrain")

    def broken(*_):
        raise UnfitRowsError("A feature is missing in file:///holdout.")

    reason = failures.failure_of(begun, overdue, broken)
    step = ladder.choose_rung(begun, overdue, no_candidate(reason))
    assert step.rung == "wait"
    assert "the next run withdraws" in step.reason
    for event in ("BatchValidated", "RowsResolved"):
        journal.append(begun, journal.Entry("batches/b-1", event, event, {}))
    journal.append(begun, attempt_events.entry(overdue, "blocked", "BatchBlocked", {}))
    assert ladder.choose_rung(begun, overdue, no_candidate(reason)).rung == "withdraw"
    other = replace(overdue, key="a-2")
    failures.failure_of(begun, other, lambda *_: None)
    assert ladder.choose_rung(begun, other, rejected()).rung == "withdraw"


@pytest.mark.parametrize("pace", [None, 480.0])
def test_one_that_may_end_in_time_or_that_nobody_timed_is_made(begun, pace):
    told(begun, *([] if pace is None else [pace]))
    assert ladder.choose_rung(begun, ATTEMPT, rejected()).rung == "retrain"
    expected = None if pace is None else pytest.approx(pace * 999 * 10)
    assert chosen(begun)["retrain_seconds"] == expected
    assert "obstacle" not in chosen(begun)


def test_a_retrain_that_the_plan_begins_with_is_refused_before_it_is_announced(begun):
    told(begun, 500.0)
    with pytest.raises(UnsupportedModelError, match=r"57\.8 days.* enrol that version"):
        candidates.make_candidate(begun, RETRAIN)
    assert not [e for e in journal.read(begun, "batches/b-1") if e.name == "EffectIntended"]


@pytest.mark.parametrize("kept", ["checkpoints", "candidates"])
def test_a_retrain_under_way_goes_on_whatever_it_takes(begun, kept):
    told(begun, 500.0)
    begun.put(f"{kept}/a-1.safetensors", b"state")
    candidates._refuse_too_late(begun, RETRAIN)


def test_an_update_is_held_to_no_such_forecast(begun, monkeypatch):
    monkeypatch.setattr(
        candidates, "retrain_forecast", lambda *_: Forecast(expected=9e9, least=9e9)
    )
    candidates._refuse_too_late(begun, ATTEMPT)


SUSPECTED = replace(RETRAIN, reason="It would unlearn 30.0% of class 1.", class_share=0.3)


def planned(store, attempt):
    journal.append(
        store, attempt_events.entry(attempt, "planned", "UnlearningPlanned", asdict(attempt))
    )


def test_a_suspicion_whose_retrain_ends_too_late_leaves_the_update_to_the_gate(begun):
    told(begun, 500.0)
    planned(begun, SUSPECTED)
    failure = failures.failure_of(begun, SUSPECTED, candidates.make_candidate)
    step = ladder.choose_rung(begun, SUSPECTED, no_candidate(failure))
    assert (step.rung, step.method) == ("update", "calibrated")
    assert step.reason.startswith(SUSPECTED.reason)
    assert "57.8 days" in step.reason
    update = planning.climb(begun, SUSPECTED, step)
    assert attempt_events.plan_digest(update) == attempt_events.plan_digest(SUSPECTED)
    # Whatever the gate says of the update, the ladder goes on as ever: there is no way back.
    assert ladder.choose_rung(begun, update, rejected()).rung == "wait"
    assert ladder.choose_rung(begun, SUSPECTED, no_candidate(failure)).rung == "wait"


def test_a_budget_that_is_spent_and_a_retrain_that_was_judged_leave_no_update(begun):
    planned(begun, SUSPECTED)
    assert ladder.choose_rung(begun, SUSPECTED, rejected()).rung == "wait"
    spent = Deletions(trained_rows=1_000, forgotten=900, updates=3)
    record_enrollment(begun, replace(ENROLLED, deletions=spent))
    assert ladder.choose_rung(begun, SUSPECTED, no_candidate("It is frozen.")).rung == "wait"
