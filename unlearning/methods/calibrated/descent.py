"""Small preconditioned steps towards the goals: what a forget set of any size is moved by.

Symbols: phi the margin of a row, g its goal, w its weight, H the Huber function, theta the
parameters, d a direction in parameter space, C the curvature. Letters: B rows in a step.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from math import inf

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.curvature.kronecker import SketchedCurvature
from unlearning.methods.calibrated.batches import Batch, GoalBatches
from unlearning.methods.network import REACH, Network

_PROBE = 1e-3
"""Length of the step that a directional derivative is read from, as a share of |theta|."""


def approach_by_descent(
    network: Network, batches: GoalBatches, distance: float, rule: CalibrationConfig
) -> None:
    """Take the rows to their goals by many small steps along d = m d' + C^-1 grad.

    d' is the direction before, m the momentum, grad the gradient of sum_i w_i H(phi_i - g_i), and C
    the Kronecker curvature of both sets, from sketches of at most `sketch_rows` of each. A step is
    `relaxation` times as long as Gauss-Newton finds best along d: <grad, d> / sum_i w_i
    min(1, 1/|phi_i - g_i|) (dphi_i/dd)^2, or a tenth of the length of theta if that is less, the
    derivative read from one more forward pass. It ends when the forget rows are, on average over a
    round, within `tolerance` of their goals, or within `remaining_share` of the first `distance`.

    Cost: a backward pass over the sketched rows; at most `max_steps` (or one round over the forget
    rows, if that is more) of four thirds passes over the rows of a batch; once the inverse factors
    of the curvature, and two products with them in each step.

    Raises:
        DivergenceError: a gradient or a margin is not finite, or the curvature is rounding alone.
    """
    enough = max(rule.tolerance, rule.remaining_share * distance)
    curvature = SketchedCurvature.from_sketches(_sketches(network, batches), damping=rule.damping)
    way = [torch.zeros_like(value) for value in network.parameters()]
    # Over a whole round: the rows of one batch alone may be the easy ones of a sorted table.
    parts = batches.sizes.parts
    round_ = deque([inf] * parts, maxlen=parts)
    most = max(rule.max_steps, parts)  # no row is left out
    for _, batch in zip(range(most), batches, strict=False):
        margins = network.batch_margins(batch.inputs, batch.labels)
        round_.append(batch.distance(margins))
        if sum(round_) / parts <= enough:
            return
        batches.multiplier.update(batch, margins)
        loss = (batch.weights * smooth_l1_loss(margins, batch.goals, reduction="none")).sum()
        gradient = torch.autograd.grad(loss, network.parameters(), materialize_grads=True)
        with torch.no_grad():
            new = curvature.solve(gradient)
            kept = [n.add(w, alpha=rule.momentum) for n, w in zip(new, way, strict=True)]
            # A direction that climbs on this batch is given up for the one that cannot.
            way = kept if _inner(gradient, kept) > 0 else new
            best = _best_length(network, batch, margins, gradient, way)
            network.move(way, length=-rule.relaxation * best)


def _sketches(network: Network, batches: GoalBatches) -> Iterator[tuple[Tensor, ...]]:
    for batch in batches.sketch_batches():
        signed = batch.weights.sqrt() * batches.signs(len(batch.labels))
        total = (signed * network.batch_margins(batch.inputs, batch.labels)).sum()
        yield torch.autograd.grad(total, network.parameters(), materialize_grads=True)


def _best_length(
    network: Network,
    batch: Batch,
    margins: Tensor,
    gradient: Sequence[Tensor],
    way: Sequence[Tensor],
) -> float:
    """How far to go along -d: the minimum of the Gauss-Newton model with Huber's own weights."""
    long = network.length_of(way)
    if long == 0.0:
        return 0.0
    probe = _PROBE * network.length / long
    probed = network.batch_margins(batch.inputs, batch.labels, way=way, length=-probe)
    slope = (probed - margins) / probe
    steep = (margins - batch.goals).abs().clamp(min=1)
    bend = float((batch.weights * slope.square() / steep).sum())
    if bend <= 0:
        return 0.0
    # The derivative along d holds near theta only; a step beyond would leave the numbers behind.
    return min(_inner(gradient, way) / bend, REACH * network.length / long)


def _inner(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))
