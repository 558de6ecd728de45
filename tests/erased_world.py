"""Two tables, a model that forgot, and everything that `expunge run` does, step by step."""

import copy
import json
import shutil
import sqlite3
from dataclasses import replace

import pytest
from deltalake import DeltaTable, write_deltalake
from durable import durable
from small_tables import rows, subject, write_tables

from tasks import pipeline
from tasks.certificates import certificates
from tasks.enrolling import enroll, train
from tasks.enrolling.source import ModelSource
from tasks.environment.settings import load_settings
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import enrolled_models, read_enrollment, record_enrollment
from tasks.registry.services import Services
from tasks.subjects import open_batches, replay, snapshots
from tasks.versions import alias_floor
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

ROWS = 240
TRAINING = TrainingConfig(epochs=5, batch_size=32)
GONE = range(8)


class Unreported(pipeline.Steps):
    """The steps of an erasure but for the page about it, whose pictures take a second."""

    def mirror_audit(self, batch):
        """Tested in tests/tasks/report."""


class Unretired(Unreported):
    """The steps of an erasure that leave old versions to the flow that retires them."""

    def retire_versions(self, model):
        return []


class World:
    """Two tables, an enrolled model that forgot the first subjects, and a copy from before that."""

    def __init__(self, services, folder):
        self.services, self.folder = services, folder
        self.table, self.holdout = (
            f"file://{p}" for p in write_tables(folder, train=ROWS, holdout=200)
        )
        self.train()
        shutil.copytree(folder / "train", folder / "backup")
        self.submit("R", GONE)
        self.run()

    @property
    def store(self):
        return self.services.store

    def source(self, **changes):
        facts = {
            "model": "income",
            "dataset": DatasetSpec(self.table, ("features",), "label", "subject_id"),
            "dataset_version": None,
            "holdout": self.holdout,
            "unlearning": UnlearningConfig(
                method="retrain", retraining=TRAINING, retain_sample=60, holdout_sample=60
            ),
            "policy": GatePolicy(
                references=0,
                max_exact_accuracy_loss=1.0,
            ),
            "widened_by": "Ada",
            "widened_because": "the tables of the tests are small",
            "budget": DeletionBudget(max_share=1.0),
            "approval": ApprovalPolicy(max_share=1.0),
        }
        return ModelSource(**(facts | changes))

    def train(self):
        version = train.train_version(self.services, self.source(), (8,), TRAINING)
        return enroll.enroll_version(self.services, self.source(), version, trust_pickle=False)

    def restore(self):
        shutil.rmtree(self.folder / "train")
        shutil.copytree(self.folder / "backup", self.folder / "train")

    def submit(self, name, numbers):
        lines = [
            {
                "request_id": f"{name}-{n}",
                "subject_id": subject(n),
                "received_at": "2026-11-20T03:04:05Z",
            }
            for n in numbers
        ]
        text = "\n".join(json.dumps(line) for line in lines)
        self.store.put(f"requests/incoming/{name}.jsonl", text.encode())

    def run(self):
        """What `expunge run` does, without an orchestrator."""
        alias_floor.enforce(self.services)
        snapshots.look_after_snapshots(self.services)
        for batch in open_batches.open_batches(self.services):
            self.process(batch)

    def process(self, batch):
        """The way of one batch; every model must pass its gate."""
        models = [e.model for e in enrolled_models(self.services.journal)]
        assert pipeline.process_batch(Unreported(self.services), batch, models) == []

    def forget_without_retiring(self, number):
        """Erase one subject more, and leave the version before as it is."""
        self.submit("U", [number])
        (batch,) = open_batches.open_batches(self.services)
        assert pipeline.process_batch(Unretired(self.services), batch, ["income"]) == []

    def unlearn(self, batch, model):
        outcome = pipeline.unlearn_model(Unreported(self.services), batch, model)
        assert outcome.status in ("promoted", "untouched"), outcome

    def replay(self):
        return snapshots.look_after_snapshots(self.services), replay.request_replays(self.services)

    def hold(self, number):
        line = json.dumps({"subject_id": subject(number)})
        self.store.put(f"requests/holds/{number}.jsonl", line.encode())

    def release(self, number):
        self.store.delete(f"requests/holds/{number}.jsonl")

    def there(self, table=None):
        """Which subjects of the tests have rows."""
        found = DeltaTable(table or self.table).to_pyarrow_table(columns=["subject_id"])
        return {int(s.rpartition("-")[2]) for s in found["subject_id"].to_pylist()}

    def requests(self):
        return {e.facts.request_id: e for _, e in self.services.journal.requests()}

    def certificate(self, request):
        return json.loads(self.store.get(certificates.certificate_key(request)))

    def champion(self):
        return self.services.registry.alias_version("income")

    def effects(self):
        return durable(self.store)

    def deliver_again(self, *numbers):
        first = rows(ROWS, seed=1).filter([i in numbers for i in range(ROWS)])
        write_deltalake(self.table, first, mode="append")

    def events(self, kind: type):
        """Facts of this type in the model's stream."""
        events = self.services.journal.read(model_stream("income"))
        return [e for e in events if isinstance(e.facts, kind)]

    def set_alias(self, version):
        self.services.registry.set_alias("income", version)

    def enroll_copy(self, enrollment, model):
        """The version of an enrolment as the first one of another model on the same tables."""
        self.services.registry.client.create_registered_model(model)
        version = self.services.registry.client.get_model_version(
            enrollment.model, str(enrollment.version)
        )
        self.services.registry.client.create_model_version(model, version.source)
        self.services.registry.set_alias(model, 1)
        record_enrollment(self.services.journal, replace(enrollment, model=model, version=1))

    def enrolled(self):
        return read_enrollment(self.services.journal, "income")


def make_template(folder, mlflow_template):
    """The world as it is after its first erasure, and copies to put back before each test."""
    (folder / "home").mkdir()
    shutil.copy(mlflow_template, folder / "home" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPUNGE_HOME", str(folder / "home"))
        made = World(Services.open(load_settings()), folder / "tables")
    for name in ("home", "tables"):
        shutil.copytree(folder / name, folder / f"{name}-as-it-was")
    return folder, made


@pytest.fixture
def world(template, monkeypatch):
    """The world of the session, put back to how it was after its first erasure."""
    folder, made = template
    monkeypatch.setenv("EXPUNGE_HOME", str(folder / "home"))
    for name in ("home", "tables"):
        _put_back(folder / f"{name}-as-it-was", folder / name)
    made = copy.copy(made)
    made.services = Services.open(load_settings())
    return made


def _put_back(kept, used):
    """Everything, but for the place of MLflow's database, which it keeps open."""
    for path in used.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif not path.name.startswith("mlflow.db"):
            path.unlink()
    for path in kept.iterdir():
        if path.is_dir():
            shutil.copytree(path, used / path.name)
        elif path.name == "mlflow.db":
            with sqlite3.connect(path) as before, sqlite3.connect(used / path.name) as now:
                before.backup(now)
        else:
            shutil.copy(path, used / path.name)
