"""Models that learned rows by heart forget them by an update that passes the default gate."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import DeltaTable
from logged_models import log_model
from torch import nn
from torch_models import Owned, column

from tasks.journal.reading import read_batch
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
WIDTH, NAMES = 20, ("north", "east", "south", "west")
TRAINING = TrainingConfig(epochs=60, batch_size=64, learning_rate=3e-3)


def answers(count: int, seed: int) -> dict[str, Any]:
    """Four classes of which nearly half are drawn by lot, so that they must be learned by heart."""
    random = np.random.default_rng(seed)
    weights = np.random.default_rng(99).standard_normal((WIDTH, len(NAMES)))
    given = random.integers(0, 2, (count, WIDTH)).astype(np.float32)
    by_lot = random.random(count) < 0.45
    best = ((given - 0.5) @ weights).argmax(1)
    label = np.where(by_lot, random.integers(0, len(NAMES), count), best).astype(np.int64)
    flat = pa.array(given[:, 2:].ravel())
    return {
        "level": given[:, 0].astype(np.int64) + 2 * given[:, 1].astype(np.int64),
        "words": pa.FixedSizeListArray.from_arrays(pa.array(given.ravel()), WIDTH),
        "others": pa.FixedSizeListArray.from_arrays(flat, WIDTH - 2),
        "label": label,
    }


def told(count: int, seed: int) -> dict[str, Any]:
    """The same with classes by name."""
    found = answers(count, seed)
    return found | {"label": [NAMES[one] for one in found["label"]]}


class Levels(nn.Module):
    """Takes a level by its number and other numbers beside it."""

    def __init__(self, *last):
        super().__init__()
        self.levels = nn.Embedding(4, 4)
        self.layers = nn.Sequential(nn.Linear(WIDTH + 2, 32), nn.ReLU(), nn.Linear(32, 4), *last)

    def forward(self, level, others):
        return self.layers(torch.cat([self.levels(level), others], dim=1))


def layers(*last):
    return nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, len(NAMES)), *last)


class Learned(Owned):
    """Tables that are large enough for the default gate, and a model that knows its rows."""

    counts = (1_000, 2_400)

    def learn(self, module, asked, *, is_probable, kind):
        """Train it as its owner would, until it knows its rows by heart, and put it into service.

        It is stored with weights of this kind.
        """
        table = DeltaTable(self.table).to_pyarrow_table()
        given, labels = asked(table), torch.tensor(self.numbers(table))
        torch.manual_seed(0)
        optimiser = torch.optim.Adam(module.parameters(), lr=TRAINING.learning_rate)
        for _ in range(TRAINING.epochs):
            for rows in torch.randperm(len(labels)).split(TRAINING.batch_size):
                optimiser.zero_grad()
                found = module(*(one[rows] for one in given))
                scores = found.clamp(min=1e-6).log() if is_probable else found
                nn.functional.cross_entropy(scores, labels[rows]).backward()
                optimiser.step()
        module = module.to(kind)
        log_model(self.services, module, example=np.zeros((2, WIDTH), dtype=np.float32))

    def numbers(self, table):
        labels = table["label"].to_pylist()
        return [NAMES.index(one) if isinstance(one, str) else one for one in labels]

    def passed(self, count):
        """What the gate said of the attempt that passed, after so many requests."""
        self.erase(range(count))
        (batch,) = dict(self.services.journal.batches())
        (one,) = read_batch(self.services.journal, batch).plans.values()
        return one


def whole(table):
    return [column(table, "words")]


def by_level(table):
    return [column(table, "level", kind=torch.int64), column(table, "others")]


SEVERAL = {"inputs": (("level", ("level",)), ("others", ("others",)))}
FORMS = {
    "several arguments": (answers, Levels, by_level, SEVERAL),
    "classes by name": (told, layers, whole, {"classes": NAMES}),
    "probabilities": (answers, lambda: layers(nn.Softmax(dim=1)), whole, {}),
    "half precision": (answers, layers, whole, {}),
    "all, probabilities in half precision": (
        told,
        lambda: Levels(nn.Softmax(dim=1)),
        by_level,
        SEVERAL | {"classes": NAMES},
    ),
}
ALONE = [pytest.param(one, marks=pytest.mark.slow) for one in [*FORMS][:-1]]


@pytest.mark.parametrize("form", [*ALONE, [*FORMS][-1]])
def test_a_model_of_this_form_forgets_by_an_update(services, tmp_path, form):
    made, module, asked, dataset = FORMS[form]
    torch.manual_seed(0)
    world = Learned(services, tmp_path, made, **dataset)
    kind = torch.bfloat16 if "half" in form else torch.float32
    world.learn(module(), asked, is_probable="probabilities" in form, kind=kind)
    world.enroll(unlearning=UnlearningConfig(retraining=TRAINING), policy=GatePolicy())
    passed = world.passed(80)
    before = passed.evaluated.evidence.before
    assert before.retain_accuracy - before.holdout_accuracy > 0.08
    assert passed.attempt.rung in ("update", "stronger")
    assert passed.decision.outcome == "forgotten"
