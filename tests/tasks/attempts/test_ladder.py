"""What follows a candidate that did not pass, and what the audit trail says of it."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import factories
import pytest
from factories import frozen, happen, validated

from tasks.attempts import candidates, failures, ladder, planning
from tasks.enrolling.timed_trainings import note_retrain
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempts import AttemptPlanned, BatchBlocked
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import read_batch, record_enrollment
from tasks.subjects.learned_rows import Unreadable
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError, UnfitRowsError, UnsupportedModelError
from unlearning.evidence.evidence import Outcome
from unlearning.gate.gate import GateDecision, no_candidate
from unlearning.gate.gate_checks import Check
from unlearning.policy.budget import Deletions
from unlearning.training.architectures import mlp

TRAINING = TrainingConfig(epochs=10)
ENROLLED = factories.enrollment(
    row_count=1_000,
    unlearning=UnlearningConfig(retraining=TRAINING),
    policy=GatePolicy(withdraw_days=3, last_resort="withdraw"),
    deletions=Deletions(trained_rows=1_000),
)
ATTEMPT = factories.attempt(key="a-1", row_count=1_000, forget_count=1)
RETRAIN = replace(ATTEMPT, key="a-2", method="retrain", rung="retrain")
SUSPECTED = replace(RETRAIN, reason="It would unlearn 30.0% of class 1.", class_share=0.3)


@pytest.fixture
def begun(services, monkeypatch):
    """An enrolled network and a batch that is due in thirteen days."""
    record_enrollment(services.journal, ENROLLED)
    happen(services.journal, "b-1", frozen=frozen())
    today(monkeypatch, 2026, 1, 20)
    received = SimpleNamespace(received_at="2026-01-02T03:04:05+00:00")
    monkeypatch.setattr(batches, "accepted", lambda *_: [received])
    monkeypatch.setattr(ladder, "lost_rows", lambda *_: Unreadable())
    parent = mlp(inputs=3, hidden=(4,), classes=2, seed=0)
    monkeypatch.setattr(ladder, "inputs", lambda *_: (ENROLLED, parent, None))
    return services


def today(monkeypatch, year, month, day):
    moment = datetime(year, month, day, 12, tzinfo=UTC)
    monkeypatch.setattr(journal, "now", lambda: moment)


def timed(services, seconds_of_a_row):
    """A retrain on 100 rows in ten epochs."""
    other = replace(ATTEMPT, key="a-0")
    note_retrain(services, other, TRAINING, 100, seconds_of_a_row * 1_000)


def planned(services, *attempts):
    for one in attempts:
        facts = AttemptPlanned(attempt=one)
        services.journal.append(batch_stream("b-1"), one.ids.planned, facts)


def history(services, attempt):
    return read_batch(services.journal, "b-1").attempts[attempt.key]


def rejected(outcome: Outcome = "cannot decide"):
    failed = Check(name="power", value=0, lower=1, upper=None, passed=False, meaning="No.")
    return GateDecision(passed=False, checks=(failed,), outcome=outcome)


def test_a_retrain_that_certainly_ends_too_late_is_skipped_and_the_trail_says_so(begun):
    planned(begun, ATTEMPT)
    timed(begun, 500.0)  # 1,000 rows less 1, 10 epochs: 57.8 days, 14.5 at the least; 13 are left
    chosen = ladder.choose_rung(begun, ATTEMPT, rejected())
    assert chosen.rung == "wait"
    assert "57.8 days, at the very least 14.5 days" in chosen.reason
    (said,) = history(begun, ATTEMPT).chosen
    assert (said.rung, said.reason) == (chosen.rung, chosen.reason)
    assert said.obstacle in chosen.reason
    assert said.retrain_seconds == pytest.approx(500 * 999 * 10)


@pytest.mark.parametrize("pace", [None, 480.0])
def test_one_that_may_end_in_time_or_that_nobody_timed_is_made(begun, pace):
    planned(begun, ATTEMPT)
    if pace is not None:
        timed(begun, pace)
    assert ladder.choose_rung(begun, ATTEMPT, rejected()).rung == "retrain"
    (said,) = history(begun, ATTEMPT).chosen
    expected = None if pace is None else pytest.approx(pace * 999 * 10)
    assert (said.retrain_seconds, said.obstacle) == (expected, "")


@pytest.mark.parametrize("resort", ["ask", "retrain-later"])
def test_an_overdue_model_waits_in_service_where_nobody_chose_otherwise(begun, monkeypatch, resort):
    record_enrollment(begun.journal, replace(ENROLLED, policy=GatePolicy(last_resort=resort)))
    today(monkeypatch, 2027, 1, 1)
    planned(begun, RETRAIN)
    chosen = ladder.choose_rung(begun, RETRAIN, rejected())
    assert chosen.rung == "wait"
    assert "The model stays in service and its requests stay open" in chosen.reason


def test_a_choice_is_recorded_once_and_another_one_besides(begun, monkeypatch):
    planned(begun, ATTEMPT)
    for _ in range(2):
        ladder.choose_rung(begun, ATTEMPT, rejected())
    timed(begun, 500.0)
    ladder.choose_rung(begun, ATTEMPT, rejected())
    assert [said.rung for said in history(begun, ATTEMPT).chosen] == ["retrain", "wait"]


def test_a_model_that_cannot_be_loaded_is_retrained_by_nobody(begun, monkeypatch):
    def refuse(*_):
        raise UnsupportedModelError("It was logged without weights.")

    monkeypatch.setattr(ladder, "inputs", refuse)
    planned(begun, ATTEMPT)
    assert ladder.choose_rung(begun, ATTEMPT, rejected()).rung == "wait"
    assert history(begun, ATTEMPT).chosen[0].obstacle == "It was logged without weights."
    assert not ladder.may_retrain(begun, ATTEMPT)


def test_a_retrain_is_ahead_of_an_update_alone(begun):
    assert ladder.may_retrain(begun, ATTEMPT)
    assert not ladder.may_retrain(begun, RETRAIN)


@pytest.mark.parametrize(("kind", "rung"), [(UnfitRowsError, "wait"), (None, "withdraw")])
def test_rows_that_do_not_fit_withdraw_no_model_before_people_were_told(
    begun, monkeypatch, kind, rung
):
    today(monkeypatch, 2027, 1, 1)
    planned(begun, ATTEMPT, RETRAIN)
    reason = "The training diverged."
    if kind is not None:

        def broken(*_):
            raise kind("A feature is missing in file:///holdout.")

        reason = failures.failure_of(begun, RETRAIN, broken)
    chosen = ladder.choose_rung(begun, RETRAIN, no_candidate(reason))
    assert chosen.rung == rung
    assert ("the next run withdraws" in chosen.reason) is (rung == "wait")


def test_a_model_whose_rows_nobody_mended_is_withdrawn(begun, monkeypatch):
    def broken(*_):
        raise UnfitRowsError("A feature is missing in file:///holdout.")

    today(monkeypatch, 2027, 1, 1)
    planned(begun, ATTEMPT, RETRAIN)
    reason = failures.failure_of(begun, RETRAIN, broken)
    blocked = BatchBlocked(model="income", attempt=RETRAIN.key, failed=(), reason=reason)
    happen(begun.journal, "b-1", validated=validated())
    begun.journal.append(batch_stream("b-1"), RETRAIN.ids.blocked, blocked)
    assert ladder.choose_rung(begun, RETRAIN, no_candidate(reason)).rung == "withdraw"


def test_a_suspicion_whose_retrain_ends_too_late_leaves_the_update_to_the_gate(begun):
    timed(begun, 500.0)
    planned(begun, SUSPECTED)
    failure = failures.failure_of(begun, SUSPECTED, candidates.make_candidate)
    chosen = ladder.choose_rung(begun, SUSPECTED, no_candidate(failure))
    assert (chosen.rung, chosen.method) == ("update", "calibrated")
    assert chosen.reason.startswith(SUSPECTED.reason)
    assert "57.8 days" in chosen.reason
    update = planning.climb(begun, SUSPECTED, chosen)
    assert update.plan_digest == SUSPECTED.plan_digest
    # Whatever the gate says of the update, the ladder goes on as ever: there is no way back.
    assert ladder.choose_rung(begun, update, rejected()).rung == "wait"
    assert ladder.choose_rung(begun, SUSPECTED, no_candidate(failure)).rung == "wait"


def test_a_budget_that_is_spent_and_a_retrain_that_was_judged_leave_no_update(begun):
    planned(begun, SUSPECTED)
    assert ladder.choose_rung(begun, SUSPECTED, rejected()).rung == "wait"
    spent = Deletions(trained_rows=1_000, forgotten=900, updates=3)
    record_enrollment(begun.journal, replace(ENROLLED, deletions=spent))
    assert ladder.choose_rung(begun, SUSPECTED, no_candidate("It is frozen.")).rung == "wait"


def test_what_no_rung_mends_is_not_recorded_as_a_choice(begun, monkeypatch):
    def away(*_):
        raise DataError("The table is away.")

    monkeypatch.setattr(ladder, "inputs", away)
    planned(begun, ATTEMPT)
    with pytest.raises(DataError):
        ladder.choose_rung(begun, ATTEMPT, rejected())
    assert history(begun, ATTEMPT).chosen == []


def test_where_the_rows_cannot_be_read_no_update_comes_in_the_retrains_place(begun, monkeypatch):
    planned(begun, SUSPECTED)
    monkeypatch.setattr(ladder, "lost_rows", lambda *_: Unreadable(rows=1))
    chosen = ladder.choose_rung(begun, SUSPECTED, no_candidate("It cannot be trained."))
    assert chosen.rung == "wait"
