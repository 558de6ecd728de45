"""The power that the test of a batch will have, before any of its rows is unlearned."""

from statistics import NormalDist

from unlearning.attacks.attacks import Signals, available_attacks, row_statistics
from unlearning.attacks.percentiles import Percentiles, chance_deviation, percentiles
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.attack_power import AttackPower
from unlearning.evidence.evidence import AttackName


def attack_power(retain: Signals, holdout: Signals, *, min_class_rows: int) -> AttackPower:
    """That of the attack that tells these training rows best; raises as `percentiles`."""
    found: dict[AttackName, Percentiles] = {
        attack: percentiles(
            row_statistics(attack, retain),
            retain.labels,
            row_statistics(attack, holdout),
            holdout.labels,
            min_rows=min_class_rows,
        )
        for attack in available_attacks(retain)
    }
    attack = max(found, key=lambda name: found[name].auc)
    best = found[attack]
    return AttackPower(
        attack=attack,
        auc=best.auc,
        deviation=float(best.values.std(correction=0)),
        holdout_variance=best.holdout_variance,
    )


def expected_power(attack: AttackPower, count: int, policy: GatePolicy) -> float:
    """The chance that so many rows would be caught if the update left them as they are.

    Formula: 1 - Phi((limit - auc) / sqrt(deviation^2 / M + holdout variance)), the limit that of
    `unlearning.evaluation.forgetting` for M rows. Normal even for few rows, so an
    estimate; the gate computes its own.
    """
    chance = chance_deviation(count, attack.holdout_variance, false_alarm=policy.false_alarm)
    known = policy.remaining_share * max(attack.auc - 0.5, 0.0)
    limit = 0.5 + max(chance, min(known, policy.max_mia_auc - 0.5))
    spread = (attack.deviation**2 / count + attack.holdout_variance) ** 0.5
    return 1 - NormalDist(attack.auc, max(spread, 1e-12)).cdf(limit)
