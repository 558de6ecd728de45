"""Evidence of forgetting: can an attack that catches the original still tell the forget rows?

The attack is chosen, and the limits are set, by the original model alone, where the answer is
known: its retain rows were trained on, the holdout rows were not. So nothing the candidate does can
move its own limits. Letters: M forget rows, R retain rows, H holdout rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.attacks.attacks import Signals, available_attacks, row_statistics
from unlearning.attacks.percentiles import (
    Percentiles,
    chance_deviation,
    detection_power,
    percentiles,
)
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import AttackName, AttackResult, ForgettingEvidence, Pool

SHOWN_ROWS = 20
"""Rows of a request up to which each one's percentile is reported."""


def forgetting_evidence(
    before: Mapping[str, Signals],
    after: Mapping[str, Signals],
    policy: GatePolicy,
    *,
    earlier: Sequence[tuple[AttackName, Pool]] = (),
) -> ForgettingEvidence:
    """Which attack catches the original best, and what it says of the candidate.

    Limits (our choice): 0.5 plus or minus the larger of what chance does to M forgotten rows once
    in 1 / `false_alarm`, and of the policy's tolerance: `remaining_share` of what the attack gets
    out of the original, at most up to `max_mia_auc` and `min_mia_auc`. All of it is fixed by the
    original and the number of rows.

    Args:
        before: Signals of the original on the sets "forget", "retain" and "holdout".
        after: Signals of the candidate on "forget" and "holdout".
        policy: False alarms, power and tolerance.
        earlier: The attack and the part in the pool of earlier batches; those count that were
            judged by the same attack.

    Raises:
        EvidenceError: a set is empty, a statistic is NaN, or no retain row shares a class.
    """
    weights = _class_weights(before["retain"].labels, before["forget"].labels)
    readings = [
        _reading(name, before, after, weights, policy.min_class_rows)
        for name in available_attacks(before["forget"])
    ]
    best, *others = sorted(readings, key=lambda one: -one.result.member_auc)
    own = Pool(
        count=len(best.after.values),
        before=float(best.before.values.sum()),
        after=float(best.after.values.sum()),
        variance=best.after.holdout_variance,
    )
    pooled = sum((pool for attack, pool in earlier if attack == best.result.attack), own)
    lower, upper, power = _limits(own, best, weights, policy)
    pooled_lower, pooled_upper, pooled_power = _limits(pooled, best, weights, policy)
    half = detection_power(best.members, weights, own.count, limit=upper, remembered=0.5)
    shown = best.after.values.sort().values if own.count <= SHOWN_ROWS else torch.empty(0)
    return ForgettingEvidence(
        judged=best.result,
        others=tuple(one.result for one in others),
        count=own.count,
        lower=lower,
        upper=upper,
        power=power,
        half_power=half,
        row_percentiles=tuple(float(one) for one in shown),
        own=own,
        pooled=pooled,
        pooled_lower=pooled_lower,
        pooled_upper=pooled_upper,
        pooled_power=pooled_power,
        member_error=best.member_error,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One attack on all sets."""

    result: AttackResult
    member_error: float
    members: Percentiles
    before: Percentiles
    after: Percentiles


def _reading(
    attack: AttackName,
    before: Mapping[str, Signals],
    after: Mapping[str, Signals],
    weights: Tensor,
    min_rows: int,
) -> _Reading:
    def ranked(signals: Mapping[str, Signals], name: str) -> Percentiles:
        rows, unseen = signals[name], signals["holdout"]
        return percentiles(
            row_statistics(attack, rows),
            rows.labels,
            row_statistics(attack, unseen),
            unseen.labels,
            min_rows=min_rows,
        )

    members = ranked(before, "retain")
    was, now = ranked(before, "forget"), ranked(after, "forget")
    share = weights / weights.sum()
    result = AttackResult(
        attack=attack,
        member_auc=float((share * members.values).sum()),
        before=was.auc,
        before_error=was.standard_error,
        after=now.auc,
        after_error=now.standard_error,
    )
    spread = (members.values - result.member_auc).square() * share.square()
    error = (float(spread.sum()) + members.holdout_variance) ** 0.5
    return _Reading(result, error, members, was, now)


def _class_weights(retain: Tensor, forget: Tensor) -> Tensor:
    """Weights [R] that give retain rows the forget rows' mix of classes; all 1 if none fits."""
    classes = 1 + int(torch.cat([retain, forget]).max())
    wanted = torch.bincount(forget, minlength=classes).double()
    present = torch.bincount(retain, minlength=classes).clamp(min=1)
    weights = (wanted / present)[retain]
    return weights if bool(weights.any()) else torch.ones_like(weights)


def _limits(
    pool: Pool, best: _Reading, weights: Tensor, policy: GatePolicy
) -> tuple[float, float, float]:
    """Lower and upper limit for so many rows, and the power of the test."""
    chance = chance_deviation(pool.count, pool.variance, false_alarm=policy.false_alarm)
    known = policy.remaining_share * max(best.result.member_auc - 0.5, 0.0)
    upper = 0.5 + max(chance, min(known, policy.max_mia_auc - 0.5))
    lower = 0.5 - max(chance, min(known, 0.5 - policy.min_mia_auc))
    power = detection_power(best.members, weights, pool.count, limit=upper)
    return lower, upper, power
