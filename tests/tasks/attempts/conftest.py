"""Two real tables, an enrolled linear model and a batch of ten subjects: attempts within seconds.

Weights come from memory, and the registry knows an alias and no more.
"""

from dataclasses import replace
from types import SimpleNamespace

import factories
import pytest
import torch
from deltalake import write_deltalake
from hand_made_batch import batch
from small_tables import rows, subject
from torch import nn

from tasks.attempts import candidates, inputs, planning
from tasks.intake import batches
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.reading import read_batch, read_enrollment, read_model, record_enrollment
from tasks.registry.mlflow_registry import Registry
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions

BATCH = "b-1"
__all__ = ["batch"]


class AttemptWorld:
    """What one batch does to one model."""

    def __init__(self, services, folder, monkeypatch, table, method):
        self.services, self.store, self.journal = services, services.store, services.journal
        self.module, self.example = nn.Linear(40, 2), None
        self.asked = [subject(i) for i in range(10)]
        self.champion = 1
        train, holdout = ((folder / name).as_uri() for name in ("train", "holdout"))
        write_deltalake(train, table)
        write_deltalake(holdout, rows(50, first=500, seed=7))
        self.first = factories.enrollment(
            digest=model_digest(self.module.state_dict()),
            dataset=factories.dataset(uri=train),
            row_count=table.num_rows,
            holdout=holdout,
            unlearning=UnlearningConfig(
                method=method,
                retain_sample=20,
                holdout_sample=20,
                retraining=TrainingConfig(epochs=2, batch_size=32),
            ),
            policy=GatePolicy(references=0),
            deletions=Deletions(trained_rows=table.num_rows),
        )
        record_enrollment(self.journal, self.first)
        monkeypatch.setattr(inputs, "load_enrolled", lambda *_, **__: self)
        monkeypatch.setattr(batches, "subjects", lambda *_: self.asked)
        monkeypatch.setattr(batches, "accepted", lambda *_, **__: [self.request()])
        monkeypatch.setattr(Registry, "alias_version", lambda *_: self.champion)

    def request(self):
        return SimpleNamespace(received_at="2026-11-20T03:04:05+00:00")

    def enrolled(self):
        return read_enrollment(self.journal, "income")

    def enroll(self, **changes):
        record_enrollment(self.journal, replace(self.enrolled(), **changes))

    def plan(self):
        return planning.plan(self.services, BATCH, "income")

    def made(self):
        """A planned attempt with its candidate."""
        attempt = self.plan()
        assert attempt is not None
        candidates.make_candidate(self.services, attempt)
        return attempt

    def history(self):
        return read_batch(self.journal, BATCH)

    def model(self):
        return read_model(self.journal, "income")

    def happen(self, **events):
        factories.happen(self.journal, BATCH, **events)

    def append(self, event_id, facts):
        self.journal.append(batch_stream(BATCH), event_id, facts)

    def tell_model(self, event_id, facts):
        self.journal.append(model_stream("income"), event_id, facts)

    def keys(self, folder="candidates/"):
        return [info.key for info in self.store.list_objects(folder)]


@pytest.fixture
def world(services, tmp_path, monkeypatch):
    torch.manual_seed(0)

    def build(table=None, *, method="theory_step"):
        table = rows(100, seed=1) if table is None else table
        return AttemptWorld(services, tmp_path, monkeypatch, table, method)

    return build
