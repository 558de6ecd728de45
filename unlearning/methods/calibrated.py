"""Calibrated IAU: forget rows are moved to where unseen rows stand, retain rows are held.

IAU raises the loss of the forget rows (incremental approximation) while it lowers that of the
retain rows (gradient correction), by one step whose size nothing in the data decides. Here, our
choice throughout, the first goes exactly as far, row by row, as the margins of rows the model never
saw, and the second only undoes what the first does to retain rows.

Symbols: phi the margin of a row, phi_0 and p_0 margin and probabilities before the update, t the
target margin, H the Huber function, theta the parameters. Letters: N rows, C classes.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (torch 2.13 leaves some of its functions without types)

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, smooth_l1_loss

from unlearning.config import CalibrationConfig, UnlearningConfig
from unlearning.errors import DivergenceError
from unlearning.forward import check_classes, fixed_mode
from unlearning.margins import class_groups, difficulty_levels, margin, target_margins
from unlearning.methods.network import Network, endless_batches
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.rows import Rows, TensorRows, gather


@dataclass(frozen=True, slots=True, eq=False)
class _Sets:
    forget: TensorRows
    retain: TensorRows
    holdout: TensorRows
    anchor: Tensor
    """Class scores of the retain rows before the update [N, C]."""


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

    Minimises mean_f H(phi - t) + b mean_r H(phi - phi_0) + c mean_r KL(p_0 || p) by Adam in
    evaluation mode. Both anchor terms have zero gradient at the start, so retain rows are held and
    not trained further. The targets t are read again from the holdout's margins every
    `check_every` steps; no gradient ever comes from the holdout. Once the mean of
    |sigmoid(phi) - sigmoid(t)| over the forget rows is within `tolerance`, the learning rate falls
    to zero over `cooldown_steps`. Rows that already look unseen hardly move, so that a second
    update does not over-forget.

    Cost: at most `max_steps` mini-batches of forget and retain rows, `noise_draws` forward passes
    over the forget rows and up to `level_rows` retain rows, one pass over the retain rows given,
    one over forget and holdout per check and at the start; nothing depends on the size of the
    training table. Same seed, same bits on the CPU.

    Raises:
        DataError: a set is empty, or a label is not a class of the model.
        DivergenceError: the distance to the targets is no longer finite.
    """
    network = Network(model, device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    with fixed_mode(model), torch.enable_grad():
        sets = _read_sets(network, forget, retain, holdout)
        targets = _Targets(network, sets, config.calibration, random)
        _descend(network, sets, targets, config, random)
    return {n: v.detach().cpu() for n, v in zip(network.names, network.parameters(), strict=True)}


def _read_sets(network: Network, forget: Rows, retain: Rows, holdout: Rows) -> _Sets:
    held = gather(retain)
    sets = _Sets(gather(forget), held, gather(holdout), anchor=network.read(held))
    for rows in (sets.forget, sets.holdout):
        check_classes(rows.labels, sets.anchor.shape[1])
    return sets


def calibrated_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The new state after the calibrated update (see `unlearning.calibrated`); needs no ledger."""
    update = calibrated_update(
        problem.model,
        forget=problem.forget,
        retain=problem.retain,
        holdout=problem.holdout,
        config=config,
        device=problem.device,
    )
    return model_state(problem.model) | update


class _Targets:
    """Where each forget row should stand, read from the holdout under the current state."""

    def __init__(
        self, network: Network, sets: _Sets, config: CalibrationConfig, random: torch.Generator
    ) -> None:
        self._network, self._sets = network, sets
        some = TensorRows(
            sets.retain.inputs[: config.level_rows], sets.retain.labels[: config.level_rows]
        )
        self._groups = class_groups(
            sets.forget.labels,
            sets.retain.labels,
            sets.holdout.labels,
            min_rows=config.min_class_rows,
        )
        scores = _robust_margins(network, (sets.forget, some), config, random)
        reference = (scores[1], some.labels)
        share = config.difficulty_share if self._stands_out(reference, config) else 0.0
        self._levels = self._read_levels(scores[0], reference, share)

    def _stands_out(self, reference: tuple[Tensor, Tensor], config: CalibrationConfig) -> bool:
        """Whether the forget rows look trained on: further from the holdout than chance explains.

        Only then is it fair to compare their difficulty with that of trained retain rows. Chance
        is taken as half a probability over the square root of N, the spread of a mean.
        """
        margins = self._network.margins(self._sets.forget)
        self._levels = self._read_levels(margins, reference, 0.0)
        _, distance = self.read()
        return distance > config.tolerance + 0.5 / self._sets.forget.count**0.5

    def _read_levels(
        self, scores: Tensor, reference: tuple[Tensor, Tensor], share: float
    ) -> Tensor:
        labels = self._sets.forget.labels
        return difficulty_levels((scores, labels), reference, self._groups, share=share)

    def read(self) -> tuple[Tensor, float]:
        """Targets [N] and the mean distance of the forget rows from them, as probabilities."""
        labels, holdout = self._sets.forget.labels, self._sets.holdout
        seen = (self._network.margins(holdout), holdout.labels)
        targets = target_margins(self._levels, labels, seen, self._groups)
        now = self._network.margins(self._sets.forget)
        distance = float((now.sigmoid() - targets.sigmoid()).abs().mean())
        if not bool(now.isfinite().all() and targets.isfinite().all()):
            raise DivergenceError(
                "The update diverged: margins are no longer finite; lower the learning rate, "
                "or retrain the model."
            )
        return targets, distance


def _robust_margins(
    network: Network,
    sets: tuple[TensorRows, ...],
    config: CalibrationConfig,
    random: torch.Generator,
) -> list[Tensor]:
    """Mean margin of each row under weight noise: mean_k phi(theta (1 + s e_k)), e_k ~ N(0, I).

    A row that was merely memorised sits in a narrow valley and loses its margin under noise; a row
    that the rest of the data supports keeps it. Only the order of the result is used.
    """
    original = dict(network.state)
    totals = [torch.zeros(rows.count) for rows in sets]
    for _ in range(config.noise_draws):
        for name in network.names:
            noise = torch.randn(original[name].shape, generator=random).to(original[name])
            network.state[name] = original[name].detach() * (1 + config.noise_scale * noise)
        for held, rows in zip(totals, sets, strict=True):
            held.add_(network.margins(rows) / config.noise_draws)
    network.state.update(original)
    return totals


def _descend(
    network: Network,
    sets: _Sets,
    targets: _Targets,
    config: UnlearningConfig,
    random: torch.Generator,
) -> None:
    rule = config.calibration
    optimiser = torch.optim.Adam(network.parameters(), lr=rule.learning_rate)
    forget_batches = endless_batches(sets.forget.count, rule.forget_batch, random)
    retain_batches = endless_batches(sets.retain.count, rule.retain_batch, random)
    goal, step, end = torch.empty(0), 0, rule.max_steps
    while True:
        if step % rule.check_every == 0 or step == end:
            goal, distance = targets.read()
            if distance <= rule.tolerance and end == rule.max_steps:
                end = min(end, step + rule.cooldown_steps) if step else 0
        if step >= end:
            return
        forget, retain = next(forget_batches), next(retain_batches)
        loss = _push(network, sets.forget, forget, goal) + _hold(
            network, sets.retain, retain, sets.anchor, rule
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        pace = min(1.0, (step + 1) / rule.warmup_steps, (end - step) / rule.cooldown_steps)
        optimiser.param_groups[0]["lr"] = rule.learning_rate * pace
        optimiser.step()
        step += 1


def _push(network: Network, rows: TensorRows, index: Tensor, goal: Tensor) -> Tensor:
    """The calibrated incremental approximation: mean H(phi - t) over a batch of forget rows."""
    labels = rows.labels[index].to(network.device)
    return smooth_l1_loss(
        margin(network.scores(rows, index), labels), goal[index].to(labels.device)
    )


def _hold(
    network: Network, rows: TensorRows, index: Tensor, anchor: Tensor, rule: CalibrationConfig
) -> Tensor:
    """The gradient correction: b mean H(phi - phi_0) + c mean KL(p_0 || p) over retain rows."""
    labels = rows.labels[index].to(network.device)
    scores, before = network.scores(rows, index), anchor[index].to(network.device)
    drift = kl_div(
        scores.log_softmax(1), before.log_softmax(1), log_target=True, reduction="batchmean"
    )
    held = smooth_l1_loss(margin(scores, labels), margin(before, labels))
    return rule.margin_weight * held + rule.divergence_weight * drift
