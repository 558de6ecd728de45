"""Two tables, a model that forgot, and everything that `expunge run` does, step by step."""

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest
from conftest import forget_settings
from deltalake import DeltaTable, write_deltalake
from durable import durable
from tables import rows, subject, write_tables

from tasks.attempts import candidates, evidence, planning, promotion
from tasks.datasets.spec import DatasetSpec
from tasks.enrolling import enroll, train
from tasks.enrolling.enroll import ModelSource
from tasks.erasure import erasable, erasure
from tasks.intake import batches
from tasks.models.enrollment import enrolled_models, read_enrollment, record_enrollment, stream
from tasks.records import certificates
from tasks.registry import mlflow_registry
from tasks.report import mlflow_mirror
from tasks.store import journal
from tasks.store.opening import open_store
from tasks.subjects import late_holds, open_batches, replay, resolution, suppression_list
from tasks.versions import erasure_floor
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

ROWS = 240
TRAINING = TrainingConfig(epochs=5, batch_size=32)
GONE = range(8)


class World:
    """Two tables, an enrolled model that forgot the first subjects, and a copy from before that."""

    def __init__(self, store, folder):
        self.store, self.folder = store, folder
        self.table, self.holdout = (
            f"file://{p}" for p in write_tables(folder, train=ROWS, holdout=200)
        )
        self.train()
        shutil.copytree(folder / "train", folder / "backup")
        self.submit("R", GONE)
        self.run()

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
            "budget": DeletionBudget(max_share=1.0),
            "approval": ApprovalPolicy(max_share=1.0),
        }
        return ModelSource(**(facts | changes))

    def train(self):
        version = train.train_version(self.store, self.source(), (8,), TRAINING)
        return enroll.adopt_version(self.store, self.source(), version, trust_pickle=False)

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
        erasure_floor.enforce(self.store)
        for batch in open_batches.open_batches(self.store):
            self.process(batch)

    def process(self, batch):
        batches.validate(self.store, batch)
        late_holds.withhold(self.store, batch)
        suppression_list.take_off_withheld(self.store, batch)
        resolution.resolve(self.store, batch)
        for model in [e.model for e in enrolled_models(self.store)]:
            self.unlearn(batch, model)
        erasable.refuse_unasked(self.store, batch)
        suppression_list.suppress(self.store, batch)
        suppression_list.put_on_found(self.store, batch)
        for table in erasure.tables_of(self.store, batch):
            erasable.refuse_unasked(self.store, batch)
            erasure.erase_rows(self.store, batch, table)
            erasure.purge_files(self.store, batch, table)
            erasure.advance_models(self.store, batch, table)
        resolution.close_search(self.store, batch)
        certificates.certify(self.store, batch)
        mlflow_mirror.close(self.store, batch)

    def unlearn(self, batch, model):
        attempt = planning.plan(self.store, batch, model)
        if attempt is None:
            return
        candidates.make_candidate(self.store, attempt)
        evidence.evaluate_candidate(self.store, attempt)
        decision = evidence.judge_candidate(self.store, attempt)
        assert decision.passed, decision
        promotion.promote(self.store, attempt, promotion.register(self.store, attempt))

    def replay(self):
        return replay.restore_snapshots(self.store), replay.request_replays(self.store)

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
        return {e.facts["request_id"]: e for _, e in journal.heads(self.store, "requests")}

    def certificate(self, request):
        return json.loads(self.store.get(certificates.certificate_key(request)))

    def champion(self):
        return mlflow_registry.alias_version("income")

    def effects(self):
        return durable(self.store)

    def deliver_again(self, *numbers):
        first = rows(ROWS, seed=1).filter([i in numbers for i in range(ROWS)])
        write_deltalake(self.table, first, mode="append")

    def events(self, name):
        return [e for e in journal.read(self.store, stream("income")) if e.name == name]

    def set_alias(self, version):
        mlflow_registry.set_alias("income", version)

    def enroll_copy(self, enrollment, model):
        """The version of an enrolment as the first one of another model on the same tables."""
        mlflow_registry.client().create_registered_model(model)
        version = mlflow_registry.client().get_model_version(
            enrollment.model, str(enrollment.version)
        )
        mlflow_registry.client().create_model_version(model, version.source)
        mlflow_registry.set_alias(model, 1)
        record_enrollment(self.store, replace(enrollment, model=model, version=1))

    def enrolled(self):
        return read_enrollment(self.store, "income")


@pytest.fixture(scope="module")
def template(tmp_path_factory, mlflow_template):
    """The world as it is after its first erasure, made once: it is put back before each test."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "home").mkdir()
    shutil.copy(mlflow_template, folder / "home" / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPUNGE_HOME", str(folder / "home"))
        forget_settings()
        made = World(open_store(), folder / "tables")
    for name in ("home", "tables"):
        shutil.copytree(folder / name, folder / f"{name}-as-it-was")
    return folder, made


@pytest.fixture
def world(template, monkeypatch):
    folder, made = template
    monkeypatch.setenv("EXPUNGE_HOME", str(folder / "home"))
    forget_settings()
    suppression_list._cached.cache_clear()
    # In place, for MLflow keeps the database open.
    with (
        sqlite3.connect(folder / "home-as-it-was" / "mlflow.db") as before,
        sqlite3.connect(folder / "home" / "mlflow.db") as now,
    ):
        before.backup(now)
    for kept, used in (("home-as-it-was/store", "home/store"), ("tables-as-it-was", "tables")):
        shutil.rmtree(folder / used)
        shutil.copytree(folder / kept, folder / used)
    return made
