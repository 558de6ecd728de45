"""The least change of weights that takes rows to their goals: how a small forget set is moved.

Symbols: phi the margin of a row, g its goal, w its weight, J_i the gradient of phi_i in the
parameters theta, C the curvature. Letters: B rows in a step, P parameters.
"""

from math import inf
from typing import Any

import torch
from torch import Tensor, fx

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.curvature.kronecker import SplitPreconditioner, check_finite
from unlearning.errors import DivergenceError, UnsupportedModelError, is_out_of_memory
from unlearning.methods.calibrated.batches import Batch, GoalBatches
from unlearning.methods.network import Network
from unlearning.model.adapted import inner_of
from unlearning.model.row_gradients import RowPass
from unlearning.model.rows import TensorRows

_linalg: Any = torch.linalg  # torch leaves its functions without types

_MOST_STEPS = 8

_TRIED = 16
"""Rows that a model is tried on."""

_MOST_NUMBERS = 2**26
"""Numbers of row gradients in memory at once, 256 MiB; some three times as many at the peak."""


def row_pass(
    network: Network, example: TensorRows, forgotten: int, rule: CalibrationConfig
) -> RowPass | None:
    """What the closed form reads rows with, or None if it is not for this forget set or model.

    It is for at most `closed_form_rows` forget rows, for models whose row gradients fit in memory,
    and for those that a few example rows show to treat each row for itself: the margins and
    gradients of a pass row by row must be those of a plain pass. It is not for graphs, as exported
    models and their copies are: nobody can watch their layers, and without factors a step takes
    longer than the whole descent.

    Cost: a forward pass over one row, both passes over 16 rows, twice.

    Raises:
        DivergenceError: a margin or a gradient of the example rows is not finite.
        RuntimeError, MemoryError: memory ran out, which says nothing of the model.
    """
    if isinstance(inner_of(network.model), fx.GraphModule) or not rule.is_small(forgotten):
        return None
    inputs, labels = (part[:_TRIED].to(network.device) for part in (example.inputs, example.labels))
    try:
        rows = RowPass(
            network.model, network.state, network.names, inputs[:1], chunk_size=network.chunk_size
        )
        most = max(rule.closed_form_batch, 2 * forgotten)
        if rows.numbers * most > _MOST_NUMBERS:
            return None
        margins, gradients = rows(network.state, inputs, labels)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        # Whatever a layer raises that is not made for single rows: the descent asks for none.
        return None
    plain = network.batch_margins(inputs, labels)
    shares = torch.linspace(-1, 2, len(labels), dtype=plain.dtype, device=plain.device)
    direct = torch.autograd.grad(plain @ shares, network.parameters(), materialize_grads=True)
    check_finite(direct)
    # What is all but zero in every row, such as a bias that softmax takes out, is rounding alone.
    noise = 1e-5 * max(float(part.abs().max()) for part in direct if part.numel())
    pairs = zip(gradients.combined(shares), direct, strict=True)
    is_right = _agree(margins, plain.detach(), 0.0) and all(_agree(*two, noise) for two in pairs)
    return rows if is_right else None


def _agree(found: Tensor, right: Tensor, noise: float) -> bool:
    if found.shape != right.shape or not right.numel():
        return found.shape == right.shape
    most = max(0.01 * float(right.abs().max()), noise)
    return torch.allclose(found, right, rtol=0.01, atol=most)


def approach_by_closed_form(
    network: Network, batches: GoalBatches, distance: float, rows: RowPass, rule: CalibrationConfig
) -> bool:
    """Take the rows to their goals by Gauss-Newton steps that are solved exactly.

    Formula (our choice): a step minimises sum_i w_i h_i (phi_i - g_i - <J_i, d>)^2 + a <d, C d>,
    h_i = min(1, 1/|phi_i - g_i|) Huber's weight, a = `ridge`, C the Kronecker curvature of the same
    rows. With J [B, P] and M = diag(w h) / a that is d = C^-1 J^T (J C^-1 J^T + M^-1)^-1 (phi - g),
    and theta goes to theta - d: an equation in B unknowns however many parameters there are.
    Margins are close to linear in the weights of a network, so that a step or two arrive. It ends
    when the forget rows are on average within `tolerance` of their goals and the retain rows of a
    batch lack at most `retain_tolerance`, or after eight steps.

    Cost: for each step a forward and a backward pass over its rows, a forward pass over the next
    ones to see where they stand, the factors of C, and B^2 (P + B) multiplications; of layers
    that `unlearning.model.row_layers` knows not all P count.

    Returns:
        Whether the forget rows are within `tolerance`, or after the last step within
        `remaining_share` of the first `distance`. If not, the descent goes on from where they are,
        or, where they went astray, from the start.
    """
    enough = max(rule.tolerance, rule.remaining_share * distance)
    start = [value.detach().clone() for value in network.parameters()]
    try:
        now = _walk(network, batches, rows, rule)
    except (DivergenceError, UnsupportedModelError):
        now = inf
    if now > distance:
        network.reset(start)
    return now <= enough


def _walk(network: Network, batches: GoalBatches, rows: RowPass, rule: CalibrationConfig) -> float:
    """Take the steps; how far forget rows are from their goals then."""
    most, distance = min(rule.max_steps, _MOST_STEPS), inf
    for number, batch in zip(range(most + 1), batches, strict=False):
        if number > 0:
            with torch.no_grad():
                margins = network.batch_margins(batch.inputs, batch.labels)
            lack, distance = batches.multiplier.update(batch, margins), batch.distance(margins)
            if distance <= rule.tolerance and lack <= rule.retain_tolerance:
                break
        if number < most:
            network.move(_step(network, rows, batch, rule), length=-1.0)
    return distance


def _step(network: Network, rows: RowPass, batch: Batch, rule: CalibrationConfig) -> list[Tensor]:
    margins, gradients = rows(network.state, batch.inputs, batch.labels)
    damping = rule.closed_form_damping
    preconditioner = SplitPreconditioner.from_rows(gradients, batch.weights, damping=damping)
    split = preconditioner.preconditioned(gradients)
    away = (margins - batch.goals).double()
    # With R the root of M, so that weights may be 0: (K + M^-1)^-1 = R (R K R + 1)^-1 R.
    root = (batch.weights / (rule.ridge * away.abs().clamp(min=1))).sqrt()
    kernel = root * split.gram().double() * root.unsqueeze(1)
    kernel.diagonal().add_(1)
    shares: Tensor = root * _linalg.solve_ex(kernel, root * away)[0]
    return preconditioner.direction(split.combined(shares.to(margins.dtype)))
