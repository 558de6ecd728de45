"""What the calibrated update aims at, and the batches of rows in which it gets there.

Letters: N rows of a set, B rows in a batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.errors import DivergenceError
from unlearning.methods.network import Network, endless_batches
from unlearning.model.margins import class_groups, difficulty_levels, target_margins
from unlearning.model.rows import Rows, TensorRows, draw, read_chunks

_WINDOW = 4
"""Batches of forget rows in memory at once, among which rows are drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """The margin that each row should have, in the order of the rows."""

    forget: Tensor
    retain: Tensor
    distance: float
    """Mean distance of the forget rows from their goals, as probabilities."""


def read_goals(
    network: Network, forget: Rows, retain: TensorRows, holdout: Rows, rule: CalibrationConfig
) -> Goals:
    """Goals from the margins before the update: for forget rows by class and difficulty."""
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


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows with goals and weights; the first `forgotten` of them are forget rows."""

    inputs: Tensor
    labels: Tensor
    goals: Tensor
    weights: Tensor
    forgotten: int

    def distance(self, margins: Tensor) -> float:
        """Mean |sigmoid(phi) - sigmoid(g)| over its forget rows, which have these margins now."""
        apart = (margins.detach().sigmoid() - self.goals.sigmoid()).abs()
        return float(apart[: self.forgotten].mean())


class Steps:
    """The batches that steps are taken on, without end, and those that curvature is read from."""

    parts: int
    """Batches that one round over the forget rows takes."""

    def __init__(
        self,
        forget: Rows,
        retain: TensorRows,
        goals: Goals,
        rule: CalibrationConfig,
        random: torch.Generator,
        device: str,
        *,
        is_exact: bool = False,
    ) -> None:
        """For steps in closed form if `is_exact`: more retain rows beside few forget rows."""
        self._forget, self._retain, self._goals = forget, retain, goals
        self._rule, self._random, self._device = rule, random, device
        self.parts = ceil(forget.count / rule.forget_batch)
        self._forget_size = ceil(forget.count / self.parts)  # parts as equal as they can be
        least = rule.closed_form_batch - forget.count if is_exact else rule.min_retain_batch
        self._retain_size = min(max(least, self._forget_size), retain.count)
        # A few rows must not weigh as much as a whole request, or each of many small requests
        # would cost the retain rows as much as one large one.
        self._retain_weight = rule.retain_weight * max(1.0, rule.full_weight_rows / forget.count)
        # What one exact step costs rows that are not in it, the more for more forget rows.
        self._lift = min(1.0, forget.count / rule.full_weight_rows) if is_exact else 0.0

    def __iter__(self) -> Iterator[Batch]:
        return map(self._joined, self._forget_parts(), self._retain_picks())

    def raise_goals(self, batch: Batch, margins: Tensor) -> float:
        """Raise the goals of retain rows to come by what those of the latest batch lack on average.

        Formula: lift = lift + mean_r clamp(m_r - phi, -1, 1), kept from 0 to 1, m_r the margin that
        the row had: the method of multipliers for the condition that the clamped mean is 0. Beyond
        1 the Huber function pulls no harder.

        Returns:
            What they lack.
        """
        lacking = batch.goals - self._lift - margins.detach()
        mean = float(lacking[batch.forgotten :].clamp(-1, 1).mean())
        self._lift = min(1.0, max(0.0, self._lift + mean))
        return mean

    def _forget_parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Inputs, labels and goals of forget rows, drawn by chance from a window of the set.

        A batch of neighbours would often be one of a single class: tables are sorted.
        """
        while True:
            start = 0
            for inputs, labels in read_chunks(self._forget, _WINDOW * self._forget_size, "cpu"):
                goals = self._goals.forget[start : start + len(labels)]
                order = torch.randperm(len(labels), generator=self._random)
                for index in torch.split(order, self._forget_size):
                    yield inputs[index], labels[index], goals[index]
                start += len(labels)

    def _retain_picks(self) -> Iterator[Tensor]:
        """Retain rows for each step; what is left of a pass is too few to stand for all."""
        for index in endless_batches(self._retain.count, self._retain_size, self._random):
            if len(index) == self._retain_size:
                yield index

    def sketch_batches(self) -> Iterator[Batch]:
        """At most `sketch_rows` of each set, by chance, in batches of `sketch_batch` rows."""
        seed, size = self._random.initial_seed(), _WINDOW * self._forget_size
        some, places = draw(self._forget, self._rule.sketch_rows, seed, size=size)
        picks = torch.randperm(self._retain.count, generator=self._random)
        picks = picks[: self._rule.sketch_rows]
        whole = self._joined((some.inputs, some.labels, self._goals.forget[places]), picks)
        for index in torch.split(torch.arange(len(whole.labels)), self._rule.sketch_batch):
            parts = (whole.inputs, whole.labels, whole.goals, whole.weights)
            yield Batch(*(part[index.to(part.device)] for part in parts), forgotten=0)

    def signs(self, count: int) -> Tensor:
        """Random signs [count]."""
        bits = torch.randint(0, 2, (count,), generator=self._random)
        return (2 * bits - 1).to(self._device)

    def _joined(self, forget: tuple[Tensor, Tensor, Tensor], picks: Tensor) -> Batch:
        """Forget rows and retain rows in one batch: weights 1/N_f, and b/N_r."""
        held = self._goals.retain[picks] + self._lift
        retain = self._retain.inputs[picks], self._retain.labels[picks], held
        inputs, labels, goals = (
            torch.cat([one.to(self._device) for one in pair])
            for pair in zip(forget, retain, strict=True)
        )
        forgotten = len(forget[1])
        weights = goals.new_full((len(goals),), 1 / forgotten)
        weights[forgotten:] = self._retain_weight / len(picks)
        return Batch(
            inputs=inputs,
            labels=labels,
            goals=goals,
            weights=weights,
            forgotten=forgotten,
        )
