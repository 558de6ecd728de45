"""Which rows the steps of the calibrated update see, how much each weighs, and what pulls them.

Letters: B rows in a batch, N_f and N_r forget and retain rows among them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Self

import torch
from torch import Tensor

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.methods.calibrated.goals import Goals
from unlearning.methods.network import endless_batches
from unlearning.model.rows import Rows, TensorRows, draw, read_chunks

_WINDOW = 4
"""Batches of forget rows in memory at once, among which rows are drawn."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSizes:
    """How the rows are cut into batches."""

    parts: int
    """Batches that one round over the forget rows takes."""
    forget: int
    """N_f; the last batch of a round may have fewer."""
    retain: int
    """N_r."""

    @classmethod
    def of_descent(cls, rule: CalibrationConfig, forget: int, retain: int) -> Self:
        """For many small steps: as many retain rows as forget rows, or more beside few."""
        return cls._cut(rule, forget, retain, rule.min_retain_batch)

    @classmethod
    def of_closed_form(cls, rule: CalibrationConfig, forget: int, retain: int) -> Self:
        """For steps that are solved exactly: all forget rows, and retain rows to fill the batch."""
        return cls._cut(rule, forget, retain, rule.closed_form_batch - forget)

    @classmethod
    def _cut(cls, rule: CalibrationConfig, forget: int, retain: int, least: int) -> Self:
        parts = ceil(forget / rule.forget_batch)
        size = ceil(forget / parts)  # parts as equal as they can be
        return cls(parts=parts, forget=size, retain=min(max(least, size), retain))


def retain_weight(rule: CalibrationConfig, forgotten: int) -> float:
    """b, the weight of the retain rows of a batch together; that of its forget rows is 1.

    Formula: `retain_weight` times max(1, `full_weight_rows` / n_f): a few rows must not weigh as
    much as a whole request, or each of many small requests would cost the retain rows as much as
    one large one.
    """
    return rule.retain_weight * max(1.0, rule.full_weight_rows / forgotten)


@dataclass(slots=True)
class GoalMultiplier:
    """How far the goals of retain rows are raised above the margins that the rows had.

    The method of multipliers, for the condition that the clamped mean of what they lack is 0.
    """

    value: float = 0.0
    """0 to 1; beyond 1 the Huber function pulls no harder."""

    @classmethod
    def of_closed_form(cls, rule: CalibrationConfig, forgotten: int) -> Self:
        """What one exact step costs rows that are not in it, the more for more forget rows."""
        return cls(min(1.0, forgotten / rule.full_weight_rows))

    def update(self, batch: Batch, margins: Tensor) -> float:
        """Raise the goals to come by what the retain rows of the latest batch lack on average.

        Formula: value = value + mean_r clamp(m_r - phi, -1, 1), kept from 0 to 1, m_r the margin
        that the row had.

        Returns:
            What they lack.
        """
        lacking = batch.goals - self.value - margins.detach()
        mean = float(lacking[batch.forgotten :].clamp(-1, 1).mean())
        self.value = min(1.0, max(0.0, self.value + mean))
        return mean


class GoalBatches:
    """Batches of rows with their goals, without end, and those that curvature is read from."""

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
        cut = BatchSizes.of_closed_form if is_exact else BatchSizes.of_descent
        self.sizes = cut(rule, forget.count, retain.count)
        self.multiplier = GoalMultiplier()
        if is_exact:
            self.multiplier = GoalMultiplier.of_closed_form(rule, forget.count)

    def __iter__(self) -> Iterator[Batch]:
        return map(self._joined, self._forget_parts(), self._retain_picks())

    def _forget_parts(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Inputs, labels and goals of forget rows, drawn by chance from a window of the set.

        A batch of neighbours would often be one of a single class: tables are sorted.
        """
        while True:
            start = 0
            for inputs, labels in read_chunks(self._forget, _WINDOW * self.sizes.forget, "cpu"):
                goals = self._goals.forget[start : start + len(labels)]
                order = torch.randperm(len(labels), generator=self._random)
                for index in torch.split(order, self.sizes.forget):
                    yield inputs[index], labels[index], goals[index]
                start += len(labels)

    def _retain_picks(self) -> Iterator[Tensor]:
        """Retain rows for each step; what is left of a pass is too few to stand for all."""
        for index in endless_batches(self._retain.count, self.sizes.retain, self._random):
            if len(index) == self.sizes.retain:
                yield index

    def sketch_batches(self) -> Iterator[Batch]:
        """At most `sketch_rows` of each set, by chance, in batches of `sketch_batch` rows."""
        seed, size = self._random.initial_seed(), _WINDOW * self.sizes.forget
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
        raised = self._goals.retain[picks] + self.multiplier.value
        retain = self._retain.inputs[picks], self._retain.labels[picks], raised
        inputs, labels, goals = (
            torch.cat([one.to(self._device) for one in pair])
            for pair in zip(forget, retain, strict=True)
        )
        forgotten = len(forget[1])
        weights = goals.new_full((len(goals),), 1 / forgotten)
        weights[forgotten:] = retain_weight(self._rule, self._forget.count) / len(picks)
        return Batch(
            inputs=inputs,
            labels=labels,
            goals=goals,
            weights=weights,
            forgotten=forgotten,
        )
