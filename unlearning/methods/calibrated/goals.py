"""What the calibrated update aims at: the margin that each row should have.

Letters: N rows of a set.
"""

from dataclasses import dataclass

from torch import Tensor

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.errors import DivergenceError
from unlearning.methods.network import Network
from unlearning.model.margins import class_groups, difficulty_levels, target_margins
from unlearning.model.rows import Rows


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """The margin that each row should have, in the order of the rows."""

    forget: Tensor
    retain: Tensor
    distance: float
    """Mean distance of the forget rows from their goals, as probabilities."""


def read_goals(
    network: Network, forget: Rows, retain: Rows, holdout: Rows, rule: CalibrationConfig
) -> Goals:
    """Goals from the margins before the update: for forget rows by class and difficulty.

    Cost: a forward pass over the three sets.

    Raises:
        DivergenceError: a margin is not finite.
    """
    now, labels = _margins(network, forget)
    known = _margins(network, retain)
    unseen = _margins(network, holdout)
    groups = class_groups(labels, known[1], unseen[1], min_rows=rule.min_class_rows)

    def goals(share: float) -> tuple[Tensor, float]:
        levels = difficulty_levels((now, labels), known, groups, share=share)
        targets = target_margins(levels, labels, unseen, groups)
        return targets, float((now.sigmoid() - targets.sigmoid()).abs().mean())

    by_rank, distance = goals(0.0)
    # Only rows that look trained on may be compared with trained retain rows in difficulty. Chance
    # is taken as half a probability over the square root of N, the spread of a mean.
    if distance > rule.tolerance + 0.5 / len(labels) ** 0.5:
        by_rank, distance = goals(rule.difficulty_share)
    if not bool(now.isfinite().all() and by_rank.isfinite().all()):
        raise DivergenceError(
            "The margins of the model are not finite; check the weights and the rows."
        )
    return Goals(by_rank, known[0], distance)


def _margins(network: Network, rows: Rows) -> tuple[Tensor, Tensor]:
    """Margins [N] and labels [N] of all rows, on the CPU."""
    scores = network.read(rows)
    return scores.margins, scores.labels
