"""Further questions to a candidate, which are reported beside what the gate judges.

Letters: M forget rows, H holdout rows.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from unlearning.errors import EvidenceError
from unlearning.evidence.evidence import Estimate
from unlearning.methods.network import Network
from unlearning.model.forward import fixed_mode
from unlearning.model.rows import TensorRows, random_rows

_RELEARNING_STEPS, _RATE = 40, 1e-3
_LEAST_ROWS = 4


def threshold_advantage(members: Tensor, others: Tensor) -> Estimate:
    """What an attacker with one threshold on the loss gains, on rows that did not set it.

    Formula: TPR - FPR at the threshold that is best on every other row, measured on the rows in
    between; from -1 to 1, 0 = forgotten. Standard error of a difference of two shares. Cost
    O((M + H) log(M + H)).

    Args:
        members: Losses of the forget rows [M].
        others: Losses of holdout rows [H].

    Raises:
        EvidenceError: a side has fewer than four rows.
    """
    if min(len(members), len(others)) < _LEAST_ROWS:
        raise EvidenceError("A threshold cannot be set and tried on fewer than four rows a side.")
    levels = torch.cat([members[::2], others[::2]]).sort().values
    gains = _rates(members[::2], levels) - _rates(others[::2], levels)
    best = levels[int(gains.argmax())].unsqueeze(0)
    hit, alarm = float(_rates(members[1::2], best)), float(_rates(others[1::2], best))
    error = (hit * (1 - hit) / len(members[1::2]) + alarm * (1 - alarm) / len(others[1::2])) ** 0.5
    return Estimate(value=hit - alarm, error=error)


def _rates(losses: Tensor, levels: Tensor) -> Tensor:
    """Share of losses at or below each level."""
    return torch.searchsorted(losses.sort().values, levels, right=True).double() / len(losses)


def relearning_speed(
    model: nn.Module,
    forget: TensorRows,
    holdout: TensorRows,
    *,
    goal: float,
    chunk_size: int = 1024,
    device: str = "cpu",
) -> float:
    """How much faster forget rows are learned again than unseen rows are learned.

    Formula (our choice): steps of Adam until as many holdout rows have a mean loss of `goal`, over
    the steps until the forget rows have it, each from the candidate; at most 40. 1 = forgotten,
    above 1 something of the rows is left, below 1 they resist. Cost: at most eighty-two forward
    and backward passes over the M rows; give some dozens.

    Args:
        model: The candidate.
        forget: Forget rows.
        holdout: At least as many unseen rows.
        goal: Mean loss of the forget rows under the original.
        chunk_size: Rows in memory at a time; changes no result beyond rounding.
        device: Where the steps run.

    Raises:
        EvidenceError: a side is empty.
    """
    count = min(forget.count, holdout.count)
    if not count:
        raise EvidenceError("Relearning cannot be compared without rows; check the two sets.")
    steps = [
        _steps_to(
            goal,
            Network(model, device, chunk_size),
            random_rows(rows, count),
        )
        for rows in (holdout, forget)
    ]
    return steps[0] / steps[1]


def _steps_to(goal: float, network: Network, rows: TensorRows) -> int:
    """Steps until the mean loss is down to the goal, at least 1."""
    every = repeat(torch.arange(rows.count), _RELEARNING_STEPS + 1)
    with fixed_mode(network.model), torch.enable_grad():
        for taken, loss in enumerate(descent(network, rows, every, _RATE)):
            if loss <= goal:
                return max(taken, 1)
    return _RELEARNING_STEPS


def mean_loss(network: Network, rows: TensorRows) -> float:
    """Of a margin phi the loss is softplus(-phi)."""
    return float(softplus(-network.read(rows).margins).mean())


def descent(
    network: Network, rows: TensorRows, batches: Iterable[Tensor], rate: float
) -> Iterator[float]:
    """Steps of Adam down the mean loss of each batch; before each of them, that loss."""
    # torch leaves a part of it without types.
    optimiser = cast("Any", torch.optim.Adam(network.parameters(), lr=rate))
    for batch in batches:
        optimiser.zero_grad()
        total = 0.0
        for chunk in torch.split(batch, network.chunk_size):
            loss = network.loss(rows, chunk) * (len(chunk) / len(batch))
            torch.autograd.backward(loss)
            total += float(loss.detach())
        yield total
        optimiser.step()


def prediction_distance(one: Tensor, other: Tensor) -> float:
    """How differently two models predict the same rows: 0 = alike, 1 = never alike.

    Formula: the mean total variation distance between their class probabilities [N, C], half the
    sum of absolute differences. Used between an update and a retrained model, where there is one.

    Raises:
        EvidenceError: they are of different rows or classes.
    """
    if one.shape != other.shape or not len(one):
        raise EvidenceError(
            f"Probabilities of shape {tuple(one.shape)} and {tuple(other.shape)} do not compare; "
            "measure both models on the same rows."
        )
    return float((one - other).abs().sum(1).mean() / 2)
