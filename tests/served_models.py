"""Models of other libraries as their owners serve them, from `log_model` to the certificate."""

import logging
from dataclasses import dataclass
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from erased_world import World
from sklearn.datasets import load_digits
from small_tables import subject

from tasks.enrolling import enroll
from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.reading import read_batch
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

log = logging.getLogger("expunge.tests")


@dataclass(frozen=True)
class Erased:
    """What became of requests."""

    rung: str
    """The one whose candidate passed."""
    outcome: str
    certificate: dict
    """Of the first request."""


class Served(World):
    """Two tables of the owner's, and a model of theirs in service that learned from the first."""

    model = "theirs"

    def __init__(self, services, folder, train: pa.Table, holdout: pa.Table, **dataset):
        self.services, self.folder, self.dataset = services, folder, dataset
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        self.rows = train.num_rows
        write_deltalake(self.table, with_subjects(train, 0))
        write_deltalake(self.holdout, with_subjects(holdout, train.num_rows))

    def source(self, recipe="", **changes):
        facts = {
            "model": self.model,
            "dataset": DatasetSpec(
                self.table,
                **({"features": ("features",), "label": "label"} | self.dataset),
                subject="subject_id",
            ),
            "dataset_version": None,
            "holdout": self.holdout,
            "unlearning": UnlearningConfig(retraining=TrainingConfig(epochs=8, batch_size=64)),
            "policy": GatePolicy(),
        }
        return ModelSource(**(facts | changes), recipe=self.written(recipe) if recipe else "")

    def written(self, recipe):
        file = self.folder / "train.py"
        file.write_text(recipe)
        return str(file)

    def enroll(self, recipe="", *, trust_pickle=False, **changes) -> Enrollment:
        source = self.source(recipe, **changes)
        return enroll.enroll_version(self.services, source, None, trust_pickle=trust_pickle)

    def champion(self):
        return self.services.registry.alias_version(self.model)

    def load(self):
        """What its owner serves: the pipeline under the alias."""
        mlflow.set_tracking_uri(self.services.settings.tracking_uri)
        return mlflow.transformers.load_model(f"models:/{self.model}/{self.champion()}")

    def erase(self, numbers) -> Erased:
        """Ask for these subjects, and look whether all is as a person may expect it."""
        before = self.champion()
        self.submit("E", numbers)
        self.run()
        asked = [one for name, one in self.requests().items() if name.startswith("E-")]
        assert {event.status for event in asked} == {"erased"}
        assert self.champion() > before
        assert self.there().isdisjoint(numbers)
        (batch,) = dict(self.services.journal.batches())
        (one,) = read_batch(self.services.journal, batch).plans.values()
        certificate = self.certificate(f"E-{numbers[0]}")
        (model,) = certificate["models"]
        assert model["outcome"] != "withdrawn"
        log.info("%s: %s by the rung %s", self.model, model["outcome"], one.attempt.rung)
        return Erased(one.attempt.rung, model["outcome"], certificate)


def with_subjects(table: pa.Table, first: int) -> pa.Table:
    """The table with a person of its own for each row."""
    return table.append_column("subject_id", [[subject(first + n) for n in range(table.num_rows)]])


def vectors(features: np.ndarray, labels: np.ndarray) -> pa.Table:
    """Rows whose features are one list."""
    flat = np.ascontiguousarray(features.reshape(len(features), -1))
    column = pa.FixedSizeListArray.from_arrays(pa.array(flat.ravel()), flat.shape[1])
    return pa.table({"features": column, "label": labels})


def digits(count: int, *, first: int = 0, channels: int = 1) -> pa.Table:
    """So many of the handwritten digits that scikit-learn brings, in an order by lot."""
    images, labels = (np.asarray(one) for one in load_digits(return_X_y=True))
    places = np.random.default_rng(0).permutation(len(labels))[first : first + count]
    pixels = np.tile(images[places].astype(np.uint8), channels)
    return vectors(pixels, labels[places].astype(np.int64))


def names_in(recipe: str) -> dict[str, Any]:
    """What the recipe defines, once it is run here as its owner does."""
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 - the owner runs their own code
    return names


def trained(recipe: str, rows: pa.Table, *, seed: int = 0, init=None):
    """What the recipe's own `train` gives: the model that its owner logs."""
    return names_in(recipe)["train"](rows, seed=seed, init=init)
