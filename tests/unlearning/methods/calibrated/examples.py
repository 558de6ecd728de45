import copy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import nn

from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evaluation.measurement import evaluation_report
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores

FEATURES = 16


SHORT = CalibrationConfig(max_steps=4, tolerance=1e-6, remaining_share=0.0, closed_form_rows=0)
"""A few small steps that are taken even where the goals are near."""


EXACT = replace(SHORT, closed_form_rows=256)
"""The same in closed form."""


DESCENT = CalibrationConfig(closed_form_rows=0)


both_ways = pytest.mark.parametrize("rule", [SHORT, EXACT], ids=["descent", "closed form"])


either_way = pytest.mark.parametrize(
    "rule", [DESCENT, CalibrationConfig()], ids=["descent", "closed form"]
)


def config(calibration=SHORT, **changes):
    return UnlearningConfig(calibration=calibration, **changes)


def noisy_rows(count, seed):
    """Two classes with three labels of ten drawn at random: those can only be learned by heart."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, FEATURES, generator=generator)
    rule = torch.randn(FEATURES, 2, generator=torch.Generator().manual_seed(99))
    chance = torch.randint(2, (count,), generator=generator)
    is_noise = torch.rand(count, generator=generator) < 0.3
    return TensorRows(inputs, torch.where(is_noise, chance, (inputs @ rule).argmax(1)))


@dataclass(frozen=True)
class World:
    """A model that learned its rows by heart, the rows, and others that it never saw."""

    model: nn.Module
    forget: TensorRows
    retain: TensorRows
    unseen: TensorRows  # as many as forget rows
    holdout: TensorRows  # what the update may read
    judge: TensorRows  # what the result is measured on

    def update(self, forget, calibration, **changes):
        """The model after the update, and what it returned."""
        sets = {"forget": forget, "retain": self.retain, "holdout": self.holdout} | changes
        update = calibrated_update(self.model, **sets, config=config(calibration))
        model = copy.deepcopy(self.model)
        model.load_state_dict(update)
        return model, update

    def report(self, model, forget):
        sets = {"retain": self.retain, "forget": forget, "holdout": self.judge}
        return evaluation_report(
            {name: read_scores(model, rows, chunk_size=2048) for name, rows in sets.items()}
        )


def problem(rows) -> dict[str, Any]:
    return {"forget": rows(12), "retain": rows(40, 1), "holdout": rows(30, 2)}


class CountingRows:
    """Rows that remember how many of them were given out."""

    def __init__(self, rows):
        self._rows = rows
        self.count = rows.count
        self.given = 0
        self.sizes = []

    def chunks(self, size):
        self.sizes.append(size)
        for inputs, labels in self._rows.chunks(size):
            self.given += len(labels)
            yield inputs, labels
