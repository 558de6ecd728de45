"""The ladder: what is tried next on a model that has not forgotten, until erasure is reached.

A valid request is never refused because a model is hard to unlearn. Rung by rung: the enrolment's
update, a stronger one, an exact retrain on the retain set, and at last what the model's owner chose
(see `unlearning.policy.last_resort`).
"""

from dataclasses import dataclass, replace
from typing import Literal

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import MethodName, UnlearningConfig
from unlearning.gate.gate import GateDecision
from unlearning.policy.budget import RETRAIN, is_exact

Rung = Literal["update", "stronger", "retrain", "withdraw", "wait"]
_CALIBRATED: MethodName = "calibrated"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRung:
    """The rung that is climbed next, and why."""

    rung: Rung
    """An update to make, or "withdraw" the alias, or "wait" for people, who are called."""
    method: str
    """The method of that update; empty for the last two."""
    reason: str
    """One sentence for the audit trail."""


@dataclass(frozen=True, slots=True)
class ModelOutcome:
    """What became of one model in one batch."""

    model: str
    status: Literal["untouched", "promoted", "blocked", "withdrawn"]
    reason: str = ""
    """Why it was blocked or withdrawn, in one sentence."""


def next_rung(
    rung: Rung,
    method: str,
    decision: GateDecision,
    policy: GatePolicy,
    *,
    days_left: int,
    obstacle: str = "",
    untried: str = "",
) -> NextRung:
    """The rung after a candidate that did not pass.

    Rules (our choice): rows that are still remembered get the stronger update once. Everything else
    goes to an exact retrain: a candidate that lost utility, because a batch may be crafted to make
    approximate updates do harm; one that over-forgot; one on which the attack cannot decide; one
    that could not be made or measured. A retrain that a mere suspicion put in the update's place
    and that could not be made gives way to that update, for the gate to judge. What not even a
    retrain mends waits for people. Only where the owner chose `withdraw`, the model loses its alias
    from `withdraw_days` before the earliest due date.

    Args:
        rung: The rung that the candidate came from.
        method: How the candidate was made.
        decision: Why it did not pass.
        policy: The last resort, and its days before the due date.
        days_left: Days to the earliest due date of the batch; below 0 it has passed.
        obstacle: Why the model cannot be trained anew here, or not in time; empty if it can.
        untried: Method of the update that a mere suspicion skipped; empty if none was.
    """
    why = decision.why
    if untried and not decision.is_measured:
        reason = f"No retrain could be made ({why}), so the gate judges the update."
        return NextRung(rung="update", method=untried, reason=reason)
    if rung == "update" and not is_exact(method) and _wants_more(decision):
        return NextRung(
            rung="stronger", method=_CALIBRATED, reason=f"The update was not enough ({why})."
        )
    skipped = ""
    if rung in ("update", "stronger") and not is_exact(method):
        if not obstacle:
            return NextRung(rung="retrain", method=RETRAIN, reason=_why_retrain(decision, why))
        skipped = f" It was not retrained: {obstacle}"
    if policy.last_resort == "withdraw" and days_left <= policy.withdraw_days:
        time = f"{days_left} days are left" if days_left >= 0 else "the request is overdue"
        reason = f"No rung was enough ({why}) and {time}.{skipped}"
        return NextRung(rung="withdraw", method="", reason=reason)
    return NextRung(rung="wait", method="", reason=f"No rung was enough ({why}).{skipped}")


def stronger(config: UnlearningConfig) -> UnlearningConfig:
    """The configuration of the stronger update: the calibrated one, taken further.

    It goes on to a third of the remaining distance and half the tolerance, with twice the steps,
    and lets retain rows give way twice as much; after another method it is the calibrated update as
    it is configured.
    """
    if config.method != _CALIBRATED:
        return replace(config, method=_CALIBRATED)
    rule: CalibrationConfig = config.calibration
    further = replace(
        rule,
        max_steps=2 * rule.max_steps,
        tolerance=rule.tolerance / 2,
        remaining_share=rule.remaining_share / 3,
        retain_weight=rule.retain_weight / 2,
    )
    return replace(config, calibration=further)


def _wants_more(decision: GateDecision) -> bool:
    return decision.outcome == "remembered" and not decision.lost_utility


def _why_retrain(decision: GateDecision, why: str) -> str:
    if decision.lost_utility:
        return f"The update cost utility, as a batch crafted for it would ({why})."
    if not decision.is_measured:
        return f"The update led nowhere ({why})."
    if decision.has_too_few_rows:
        return f"The rows are too few to tell what the update cost ({why})."
    if decision.outcome == "cannot decide":
        return f"The attack cannot decide, a retrain needs no attack ({why})."
    return f"No update was enough ({why})."
