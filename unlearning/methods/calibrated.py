"""Calibrated IAU: forget rows are moved to where unseen rows stand, retain rows are held.

IAU raises the loss of the forget rows (incremental approximation) while it lowers that of the
retain rows (gradient correction), by one step whose size nothing in the data decides. Here, our
choice throughout, each row has a goal: a forget row the margin of unseen rows of its kind, a retain
row the margin that it had. A few preconditioned Gauss-Newton steps go there and no further.

Symbols: phi the margin of a row, g its goal, w its weight, H the Huber function, theta the
parameters, d a direction in parameter space, C the curvature. Letters: N rows, B rows in a step.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (torch 2.13 leaves some of its functions without types)

from collections import deque
from collections.abc import Iterator, Mapping
from math import inf

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from unlearning.config import CalibrationConfig, UnlearningConfig
from unlearning.errors import DivergenceError, UnsupportedModelError
from unlearning.forward import autocast, fixed_mode, logits
from unlearning.kronecker import KroneckerCurvature
from unlearning.margins import margin
from unlearning.methods.goals import Batch, Goals, Steps, read_goals
from unlearning.methods.network import Network
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.rows import Rows, gather

_PROBE = 1e-3
"""Length of the step that a directional derivative is read from, as a share of |theta|."""

_REACH = 0.1
"""Length of the longest step, as a share of |theta|."""


def calibrated_update(
    model: nn.Module,
    *,
    forget: Rows,
    retain: Rows,
    holdout: Rows,
    config: UnlearningConfig,
    device: str = "cpu",
) -> dict[str, Tensor]:
    """New values of the trainable parameters, on the CPU; the forget rows now look unseen.

    Minimises mean_f H(phi - g) + b mean_r H(phi - g) in evaluation mode, b = `retain_weight`, or
    more in proportion for fewer than `full_weight_rows` forget rows. Retain rows start at their
    goal, so they are held; what they lose on average for all that is added to their goals from step
    to step (see `Steps.raise_goals`). No gradient ever comes from the holdout. A step goes along
    d = m d' + C^-1 grad, d' the direction before and C the Kronecker curvature of both sets (see
    `KroneckerCurvature`), for `relaxation` times the length that Gauss-Newton finds best along d:
    <grad, d> / sum_i w_i min(1, 1/|phi_i - g_i|) (dphi_i/dd)^2, or a tenth of the length of theta
    if that is less, the derivative read from one more forward pass. It ends when
    the mean of |sigmoid(phi) - sigmoid(g)| over a round of forget batches is within `tolerance`, or
    within `remaining_share` of what it was. Rows that already look unseen are left alone, so that a
    second update does not over-forget.

    Cost: one forward pass over the rows of each set; a backward pass over at most `sketch_rows` of
    forget and of retain rows; at most `max_steps` (or one round over the forget rows, if that is
    more) of four thirds passes over at most `forget_batch` forget rows and as many retain rows,
    but at least `min_retain_batch`; once the eigenvectors of the curvature, and four products with
    them in each step. Nothing depends on the size of the training table, and of the forget set no
    more than four times `forget_batch` rows are asked for at once. From those the rows of a batch
    are drawn by chance: a table sorted by class does no harm, unless the forget set is much longer.
    Same seed, same bits on the CPU.

    Raises:
        DataError: a set is empty, or a label is not a class of the model.
        UnsupportedModelError: a trainable parameter has less than float32 precision.
        DivergenceError: a gradient, a margin or the distance to the goals is no longer finite.
    """
    network = Network(model, device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    rule = config.calibration
    _check_precision(network)
    with fixed_mode(model), torch.enable_grad(), autocast(device, "float32"):
        held = gather(retain)
        goals = read_goals(network, forget, held, holdout, rule)
        if goals.distance > rule.tolerance:
            _descend(network, Steps(forget, held, goals, rule, random, device), goals, rule)
    return {n: v.detach().cpu() for n, v in zip(network.names, network.parameters(), strict=True)}


def calibrated_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the calibrated update (see `calibrated_update`); needs no ledger."""
    update = calibrated_update(
        problem.model,
        forget=problem.forget,
        retain=problem.retain,
        holdout=problem.holdout,
        config=config,
        device=problem.device,
    )
    return model_state(problem.model) | update


def _check_precision(network: Network) -> None:
    """Steps here are often below what half precision can tell from nothing."""
    for name, value in zip(network.names, network.parameters(), strict=True):
        if torch.finfo(value.dtype).bits < torch.finfo(torch.float32).bits:
            raise UnsupportedModelError(
                f"The parameter {name} is {str(value.dtype).removeprefix('torch.')}, too coarse "
                "for the calibrated update; register the model in float32, or retrain it."
            )


def _descend(network: Network, steps: Steps, goals: Goals, rule: CalibrationConfig) -> None:
    curvature = _curvature(network, steps, rule)
    enough = max(rule.tolerance, rule.remaining_share * goals.distance)
    way = [torch.zeros_like(value) for value in network.parameters()]
    # Over a whole round: the rows of one batch alone may be the easy ones of a sorted table.
    round_ = deque([inf] * steps.parts, maxlen=steps.parts)
    most = max(rule.max_steps, steps.parts)  # no row is left out
    for _, batch in zip(range(most), steps, strict=False):
        margins = _batch_margins(network, network.state, batch)
        round_.append(_distance(margins, batch))
        if sum(round_) / steps.parts <= enough:
            return
        steps.raise_goals(batch, margins)
        loss = _huber(margins, batch)
        gradient = torch.autograd.grad(loss, network.parameters(), materialize_grads=True)
        with torch.no_grad():
            new = curvature.solve(gradient)
            kept = [n.add(w, alpha=rule.momentum) for n, w in zip(new, way, strict=True)]
            # A direction that climbs on this batch is given up for the one that cannot.
            way = kept if _inner(gradient, kept) > 0 else new
            length = rule.relaxation * _best_length(network, batch, margins, gradient, way)
            for value, part in zip(network.parameters(), way, strict=True):
                value.sub_(part, alpha=length)


def _curvature(network: Network, steps: Steps, rule: CalibrationConfig) -> KroneckerCurvature:
    def sketches() -> Iterator[tuple[Tensor, ...]]:
        for batch in steps.sketch_batches():
            signed = batch.weights.sqrt() * steps.signs(len(batch.labels))
            total = (signed * _batch_margins(network, network.state, batch)).sum()
            yield torch.autograd.grad(total, network.parameters(), materialize_grads=True)

    return KroneckerCurvature(sketches(), damping=rule.damping)


def _batch_margins(network: Network, state: Mapping[str, Tensor], batch: Batch) -> Tensor:
    return margin(logits(network.model, state, batch.inputs, batch.labels), batch.labels)


def _huber(margins: Tensor, batch: Batch) -> Tensor:
    """The weighted sum of H(phi - g)."""
    return (batch.weights * smooth_l1_loss(margins, batch.goals, reduction="none")).sum()


def _distance(margins: Tensor, batch: Batch) -> float:
    """Mean |sigmoid(phi) - sigmoid(g)| over the forget rows of a batch."""
    apart = (margins.detach().sigmoid() - batch.goals.sigmoid()).abs()
    _check_finite(margins)
    return float(apart[: batch.forgotten].mean())


def _check_finite(margins: Tensor) -> None:
    if not bool(margins.isfinite().all()):
        raise DivergenceError(
            "The update diverged: margins are no longer finite; lower the relaxation, raise the "
            "damping, or retrain the model."
        )


def _best_length(
    network: Network,
    batch: Batch,
    margins: Tensor,
    gradient: tuple[Tensor, ...],
    way: list[Tensor],
) -> float:
    """How far to go along -d: the minimum of the Gauss-Newton model with Huber's own weights."""
    size = sum(float(value.detach().square().sum()) for value in network.parameters()) ** 0.5
    long = sum(float(part.square().sum()) for part in way) ** 0.5
    if long == 0.0:
        return 0.0
    probe = _PROBE * max(size, _PROBE) / long
    there = {
        name: value.detach().clone().sub_(part, alpha=probe)
        for name, value, part in zip(network.names, network.parameters(), way, strict=True)
    }
    probed = _batch_margins(network, {**network.state, **there}, batch)
    _check_finite(probed)
    slope = (probed - margins) / probe
    steep = (margins - batch.goals).abs().clamp(min=1)
    bend = float((batch.weights * slope.square() / steep).sum())
    if bend <= 0:
        return 0.0
    # The derivative along d holds near theta only; a step beyond would leave the numbers behind.
    return min(_inner(gradient, way) / bend, _REACH * max(size, _PROBE) / long)


def _inner(one: tuple[Tensor, ...], other: list[Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(one, other, strict=True))
