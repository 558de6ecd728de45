"""The least change of weights that takes rows to their goals: how a small forget set is moved.

Symbols: phi the margin of a row, g its goal, w its weight, J_i the gradient of phi_i in the
parameters theta, C the curvature. Letters: B rows in a step, P parameters.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch 2.13 leaves some of its functions without types)

import torch
from torch import Tensor

from unlearning.config import CalibrationConfig
from unlearning.errors import DivergenceError, UnsupportedModelError
from unlearning.kronecker import KroneckerCurvature
from unlearning.methods.goals import Batch, Steps
from unlearning.methods.network import Network
from unlearning.row_gradients import RowPass

_MOST_STEPS = 8

_MOST_NUMBERS = 2**26
"""Numbers of row gradients held at once, 256 MiB; some three times as many at the peak."""


def approach_by_closed_form(network: Network, steps: Steps, rule: CalibrationConfig) -> bool:
    """Take the rows to their goals by Gauss-Newton steps that are solved exactly.

    Formula (our choice): a step minimises sum_i w_i h_i (phi_i - g_i - <J_i, d>)^2 + a <d, C d>,
    h_i = min(1, 1/|phi_i - g_i|) Huber's weight, a = `ridge`, C the Kronecker curvature of the same
    rows. With J [B, P] that is d = C^-1 J^T (J C^-1 J^T + a diag(1/(w h)))^-1 (phi - g), and theta
    goes to theta - d: an equation in B unknowns however many parameters there are. Margins are
    close to linear in the weights of a network, so that a step or two arrive. It ends when the
    forget rows are on average within `tolerance` of their goals and the retain rows of a batch lack
    at most `retain_tolerance`, or after eight steps.

    Cost: for each step a forward and a backward pass over its rows, a forward pass over the next
    ones to see where they stand, the factors of C, and B^2 (P + B) multiplications; of layers that
    `unlearning.row_layers` knows not all P count.

    Returns:
        False if nothing was done, because the model is too large for it or has a layer that cannot
        give the gradient of a single row.

    Raises:
        DivergenceError: a gradient, a margin or a step is not finite.
    """
    rows = _row_pass(network, steps)
    if rows is None:
        return False
    for number, batch in zip(range(min(rule.max_steps, _MOST_STEPS)), steps, strict=False):
        if number > 0:
            with torch.no_grad():
                margins = network.batch_margins(batch.inputs, batch.labels)
            lack = steps.raise_goals(batch, margins)
            if batch.distance(margins) <= rule.tolerance and lack <= rule.retain_tolerance:
                break
        network.move(_step(network, rows, batch, rule), length=-1.0)
    return True


def _row_pass(network: Network, steps: Steps) -> RowPass | None:
    """The pass over rows, tried on one of them; None if it cannot be."""
    inputs, label = steps.example()
    rows = RowPass(network.model, network.state, network.names, inputs)
    if rows.numbers * steps.batch_rows > _MOST_NUMBERS:
        return None
    try:
        rows(network.state, inputs, label)
    except UnsupportedModelError:
        return None
    return rows


def _step(network: Network, rows: RowPass, batch: Batch, rule: CalibrationConfig) -> list[Tensor]:
    margins, gradients = rows(network.state, batch.inputs, batch.labels)
    curvature = KroneckerCurvature.from_rows(gradients, batch.weights, damping=rule.damping)
    lifted = curvature.solve_rows(gradients)
    away = margins - batch.goals
    kernel = gradients.products(lifted).double()
    kernel.diagonal().add_(rule.ridge * away.abs().clamp(min=1) / batch.weights)
    shares: Tensor = torch.linalg.solve_ex(kernel, away.double())[0]
    if not bool(shares.isfinite().all()):
        raise DivergenceError(
            "The update has no finite step; check the forget and retain rows for values out of "
            "range, or retrain the model."
        )
    return lifted.combined(shares.to(away.dtype))
