"""A store with enrolled models and batches that go as far as the question to people."""

import json
from dataclasses import replace

import pytest
from factories import dataset, enrollment, promotion
from small_tables import subject, write_tables
from torch import nn

from tasks import pipeline
from tasks.approval import approvals
from tasks.journal.events import ids
from tasks.journal.events.attempts import VersionPromoted
from tasks.journal.events.batches import RowsErased
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.reading import (
    enrolled_models,
    read_batch,
    read_enrollment,
    record_enrollment,
)
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.errors import DataError
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions

ROWS = 100


class Aliases:
    """A registry in which only serving aliases are known."""

    def __init__(self):
        self.champions = {}

    def alias_version(self, model):
        return self.champions.get(model)

    def __getattr__(self, name):
        raise DataError(f"This registry knows serving aliases alone, and nothing of {name}.")


class World:
    """Two tables, enrolled models whose alias points to version 1, and request files."""

    def __init__(self, services, folder):
        aliases = Aliases()
        self.services, self.champions = replace(services, registry=aliases), aliases.champions
        self.store, self.journal = services.store, services.journal
        self.steps = pipeline.Steps(self.services)
        self.places = [f"file://{p}" for p in write_tables(folder, train=ROWS, holdout=20)]

    def enroll(self, model="income", **changes):
        facts = {
            "model": model,
            "digest": model_digest(nn.Linear(40, 2).state_dict()),
            "dataset": dataset(uri=self.places[0]),
            "row_count": ROWS,
            "holdout": self.places[1],
            "deletions": Deletions(trained_rows=ROWS),
            "approval": ApprovalPolicy(max_share=0.1),
        }
        made = enrollment(**(facts | changes))
        record_enrollment(self.journal, made)
        self.champions[model] = made.version

    def reenroll(self, model="income", **changes):
        known = read_enrollment(self.journal, model)
        record_enrollment(self.journal, replace(known, **changes))

    def submit(self, name, numbers):
        lines = [
            {
                "request_id": f"R-{n}",
                "subject_id": subject(n),
                "received_at": f"2026-01-{2 + n % 5:02}T03:04:05Z",
            }
            for n in numbers
        ]
        text = "\n".join(json.dumps(line) for line in lines)
        self.store.put(f"requests/incoming/{name}.jsonl", text.encode())

    def batch(self, numbers, name="daily"):
        before = set(open_batches.unfinished(self.services))
        self.submit(name, numbers)
        (batch,) = set(open_batches.open_batches(self.services)) - before
        return batch

    def hold(self, number):
        text = json.dumps({"subject_id": subject(number)})
        self.store.put(f"requests/holds/{number}.jsonl", text.encode())

    def process(self, batch):
        """What the flow does up to the approval; whether the batch may go on."""
        self.steps.validate_batch(batch)
        self.steps.resolve_rows(batch)
        return self.steps.seek_approval(batch, self.plans(batch))

    def begin_to_erase(self, batch):
        """Promote what is planned, then record that rows of a table are gone."""
        for plan in self.plans(batch):
            promoted = VersionPromoted(model=plan.model, attempt=plan.key, version=2, digest="d2")
            self.journal.append(batch_stream(batch), plan.ids.promoted, promoted)
            self.journal.append(model_stream(plan.model), plan.ids.promoted, promotion(plan))
            self.champions[plan.model] = 2
        erased = RowsErased(
            table="t",
            version_before=0,
            rows_before=ROWS,
            rows_matched=1,
            rows_appended=0,
            version_after=1,
            rows_after=ROWS - 1,
            rows_matched_after=0,
        )
        self.journal.append(batch_stream(batch), ids.erased("t"), erased)

    def plans(self, batch):
        models = [e.model for e in enrolled_models(self.journal)]
        found = [self.steps.plan_unlearning(batch, model) for model in models]
        return [plan for plan in found if plan is not None]

    def decide(
        self, batch, decision: approvals.Decision = "approve", name="Ada", reason="checked the file"
    ):
        return approvals.decide(self.services, batch, decision, name=name, reason=reason)

    def history(self, batch):
        return read_batch(self.journal, batch)

    def asked(self, batch):
        return self.history(batch).asked

    def status(self, batch):
        return self.history(batch).status

    def requests(self):
        return {e.facts.request_id: e for _, e in self.journal.requests()}

    def statuses(self):
        return {e.status for e in self.requests().values()}

    def objects(self):
        return [(i.key, i.version) for i in self.store.list_objects("")]


@pytest.fixture
def world(services, tmp_path):
    made = World(services, tmp_path / "tables")
    made.enroll()
    return made
