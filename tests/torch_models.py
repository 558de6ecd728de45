"""Models of plain torch as people write them, on tables of their own."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from deltalake import DeltaTable, write_deltalake
from erased_world import World
from logged_models import log_model
from PIL import Image
from small_tables import subject
from torch import nn

from tasks.enrolling import enroll
from tasks.journal.events.enrollment import DatasetSpec, InputColumns
from tasks.registry.model_files import Trust, load_model

WORDS, LENGTH = 50, 8
USERS, ITEMS = 20, 15


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


class Recommender(nn.Module):
    """Who likes what, by an embedding of each, and the hour of the day beside them."""

    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(USERS, 6), nn.Embedding(ITEMS, 6)
        self.head = nn.Linear(14, 2)

    def forward(self, user, item, context):
        seen = [self.users(user), self.items(item), context]
        return self.head(torch.cat(seen, dim=1))


class Masked(nn.Module):
    """Words of which a mask says which there are."""

    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, 8), nn.Linear(8, 2)

    def forward(self, tokens, mask):
        seen = self.words(tokens).masked_fill(~mask.unsqueeze(2), 0.0)
        return {"logits": self.head(seen.sum(1) / mask.sum(1, keepdim=True))}


def likes(count: int, seed: int) -> dict[str, Any]:
    """Users and items by number, with two numbers of context, and whether it was liked."""
    random = np.random.default_rng(seed)
    user, item = random.integers(0, USERS, count), random.integers(0, ITEMS, count)
    hour = random.random(count)
    label = (user % 3 == item % 3) | (random.random(count) < 0.2)
    names = {"user_id": user, "item_id": item, "hour": hour, "weekend": random.random(count) < 0.3}
    return names | {"label": label.astype(np.int64)}


def masked(count: int, seed: int) -> dict[str, Any]:
    """Texts of different lengths, with the mask that says so."""
    there = np.arange(LENGTH) < np.random.default_rng(seed).integers(3, LENGTH, count)[:, None]
    mask = pa.FixedSizeListArray.from_arrays(pa.array(there.ravel()), LENGTH)
    return texts(count, seed) | {"mask": mask}


PREPARE = """\
import json
import numpy as np

KINDS = ["north", "south", "west"]


def prepare(rows, model):
    known = json.loads((model / "extra_files" / "scaler.json").read_text())
    amount = (rows["amount"].fill_null(0).to_numpy() - known["mean"]) / known["spread"]
    region = np.array([KINDS.index(one) for one in rows["region"].to_pylist()])
    return {"amount": amount[:, None], "region": region}
"""
"""An owner's code: amounts by the scaler that was fitted in training, regions by number."""


class Regional(nn.Module):
    """Amounts and where they come from."""

    def __init__(self):
        super().__init__()
        self.regions, self.head = nn.Embedding(3, 4), nn.Linear(5, 2)

    def forward(self, region, amount):
        return self.head(torch.cat([self.regions(region), amount], dim=1))


def sales(count: int, seed: int) -> dict[str, Any]:
    """Amounts, some of them missing, and regions by name."""
    random = np.random.default_rng(seed)
    amount, region = random.normal(50, 10, count), random.integers(0, 3, count)
    label = ((amount > 50) == (region > 0)) | (random.random(count) < 0.2)
    return {
        "amount": pa.array(amount, mask=random.random(count) < 0.1),
        "region": [("north", "south", "west")[one] for one in region],
        "label": label.astype(np.int64),
    }


def pictures(count: int, seed: int) -> dict[str, Any]:
    """Small grey images as the bytes of PNG; light ones are of class 1, but for some."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, (count, 4, 4), dtype=np.uint8)
    label = (values.mean((1, 2)) > 127) ^ (random.random(count) < 0.2)
    return {"image": [_png(one) for one in values], "label": label.astype(np.int64)}


def shades(table: pa.Table) -> torch.Tensor:
    """Those images as their owner reads them, from 0 to 1."""
    images = [np.asarray(Image.open(BytesIO(one))) for one in table["image"].to_pylist()]
    return torch.from_numpy(np.stack(images)).unsqueeze(1) / 255


def described(count: int, seed: int) -> dict[str, Any]:
    """Such images, and beside each the hour in which it was made."""
    hours = np.random.default_rng(seed).integers(0, 24, count).astype(float)
    return pictures(count, seed) | {"hour": hours}


class Described(nn.Module):
    """Tells an image with the help of the hour."""

    def __init__(self):
        super().__init__()
        self.look, self.head = nn.Conv2d(1, 4, 2), nn.Linear(37, 2)

    def forward(self, hour, image):
        seen = [torch.relu(self.look(image)).flatten(1), hour / 24]
        return self.head(torch.cat(seen, dim=1))


def _png(values: np.ndarray) -> bytes:
    written = BytesIO()
    Image.fromarray(values).save(written, "PNG")
    return written.getvalue()


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


def column(table: pa.Table, *names: str, kind: torch.dtype = torch.float32) -> torch.Tensor:
    """Columns as an owner reads them: one alone as it is, several side by side."""
    parts = [torch.tensor(table[name].to_pylist()) for name in names]
    return (parts[0] if len(parts) == 1 else torch.stack(parts, dim=1)).to(kind)


class Owned(World):
    """Two tables, and a model of somebody's that learned from one of them."""

    model = "income"
    counts = (240, 200)
    """Rows of the two tables."""

    def __init__(self, services, folder, made, *, inputs=(), features=("words",), **dataset):
        self.services, self.folder = services, folder
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        seen, unseen = self.counts
        for place, count, first in ((self.table, seen, 0), (self.holdout, unseen, seen)):
            ids = [subject(first + n) for n in range(count)]
            write_deltalake(place, pa.table({"subject_id": ids, **made(count, first)}))
        inputs = tuple(InputColumns(name, columns) for name, columns in inputs)
        features = tuple(c for one in inputs for c in one.columns) or features
        self.spec = DatasetSpec(
            self.table, features, "label", "subject_id", inputs=inputs, **dataset
        )

    def serve(self, module, loss, asked, **options):
        """Train the module as its owner would, log it and put it into service.

        `loss` makes a number of what the module answers and of the labels, and `asked` makes the
        arguments of the module of the table.
        """
        table = DeltaTable(self.table).to_pyarrow_table()
        given, labels = asked(table), torch.tensor(table["label"].to_pylist())
        optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
        for _ in range(60):
            optimiser.zero_grad()
            loss(module(*given), labels).backward()
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

    def files(self):
        """The files of the version in service, by their paths."""
        registry, trust = self.services.registry, Trust(pickle=True)
        return sorted(load_model(registry, self.model, self.champion(), trust=trust).files)

    def erase(self, numbers=range(8)):
        """Ask for these people, and see that they are erased and a new version serves."""
        self.submit("E", numbers)
        self.run()
        assert {event.status for event in self.requests().values()} == {"erased"}
        assert self.champion() == 2
        assert self.there().isdisjoint(numbers)
        (model,) = self.certificate(f"E-{numbers[0]}")["models"]
        return model
