"""Models of plain torch as people write them, on tables of their own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from deltalake import DeltaTable, write_deltalake
from erased_world import World
from logged_models import log_model
from small_tables import subject
from torch import nn

from tasks.enrolling import enroll
from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.model_files import Trust, load_model

WORDS, LENGTH = 50, 8


@dataclass
class Answer:
    """What models of libraries answer with."""

    logits: torch.Tensor
    hidden: torch.Tensor | None = None


class Lstm(nn.Module):
    """Reads ids of words, and answers with scores and what it thought."""

    def __init__(self):
        super().__init__()
        self.words, self.memory = nn.Embedding(WORDS, 8), nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, tokens):
        seen, _ = self.memory(self.words(tokens))
        return Answer(self.head(seen[:, -1]), seen)


class Probability(nn.Module):
    """One probability for each row."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LENGTH, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, inputs):
        return torch.sigmoid(self.layers(inputs))


class Softmax(nn.Sequential):
    """Probabilities of two classes."""

    def __init__(self):
        super().__init__(nn.Linear(LENGTH, 16), nn.ReLU(), nn.Linear(16, 2), nn.Softmax(dim=1))


def texts(count: int, seed: int) -> dict[str, Any]:
    """Ids of words, of which some make a class likely; a quarter of the labels are drawn by lot."""
    random = np.random.default_rng(seed)
    words = random.integers(0, WORDS, (count, LENGTH))
    label = (words < WORDS // 2).sum(1) > LENGTH // 2
    by_lot = random.random(count) < 0.25
    label = np.where(by_lot, random.random(count) < 0.5, label).astype(np.int64)
    return {"words": pa.FixedSizeListArray.from_arrays(words.ravel(), LENGTH), "label": label}


def fractions(count: int, seed: int) -> dict[str, Any]:
    """The same as numbers between -1 and 1."""
    found = texts(count, seed)
    values = found["words"].flatten().to_numpy() * 2 / WORDS - 1
    return found | {"words": pa.FixedSizeListArray.from_arrays(values, LENGTH)}


class Owned(World):
    """Two tables, and a model of somebody's that learned from one of them."""

    model = "income"

    def __init__(self, services, folder, made, *, features=("words",), **dataset):
        self.services, self.folder = services, folder
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        for place, count, first in ((self.table, 240, 0), (self.holdout, 200, 240)):
            ids = [subject(first + n) for n in range(count)]
            write_deltalake(place, pa.table({"subject_id": ids, **made(count, first)}))
        self.spec = DatasetSpec(self.table, features, "label", "subject_id", **dataset)

    def serve(self, module, loss, kind=torch.float32, **options):
        """Train the module as its owner would, log it and put it into service.

        `loss` makes a number of what the module answers and of the labels.
        """
        table = DeltaTable(self.table).to_pyarrow_table()
        inputs = torch.tensor(table["words"].to_pylist()).to(kind)
        labels = torch.tensor(table["label"].to_pylist())
        optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
        for _ in range(60):
            optimiser.zero_grad()
            loss(module(inputs), labels).backward()
            optimiser.step()
        log_model(self.services, module, **options)

    def enroll(self, **changes):
        source = self.source(dataset=self.spec, **changes)
        return enroll.enroll_version(self.services, source, None, trust_pickle=True)

    def served(self):
        """The version in service, as its owner loads it."""
        found = load_model(
            self.services.registry, "income", self.champion(), trust=Trust(pickle=True)
        )
        return found.module

    def erase(self, numbers=range(8)):
        """Ask for these people, and see that they are erased and a new version serves."""
        self.submit("E", numbers)
        self.run()
        assert {event.status for event in self.requests().values()} == {"erased"}
        assert self.champion() == 2
        assert self.there().isdisjoint(numbers)
        (model,) = self.certificate(f"E-{numbers[0]}")["models"]
        return model
