"""People with jobs and wages, models of other libraries that predict them, and their recipes."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from small_tables import subject

from tasks import pipeline
from tasks.enrolling import enroll
from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import enrolled_models
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig

JOBS = ("baker", "clerk", "driver", "nurse")
FEATURES = ("job", "age", "hours", "member")
CLASSES = ("high", "low")

PIPELINE = """\
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def train(rows, *, seed, init):
    table = rows.to_pandas()
    label = table.pop(table.columns[-1])
    jobs = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(
        make_column_transformer((jobs, ["job"]), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=15, random_state=seed),
    )
    return model.fit(table, label)
"""
"""Of a pipeline over columns of text and numbers."""
REGRESSOR = PIPELINE.replace("Classifier", "Regressor")


def people(count: int, *, first: int = 0, seed: int = 0) -> pa.Table:
    """Some hours are missing, as they are in real tables."""
    random = np.random.default_rng(seed)
    job = random.integers(0, len(JOBS), count)
    age, member = random.integers(18, 70, count), random.random(count) < 0.5
    hours = random.normal(30, 8, count)
    wage = 10 + 3 * job + age / 10 + hours / 10 + random.normal(0, 2, count)
    return pa.table(
        {
            "subject_id": [subject(first + i) for i in range(count)],
            "job": [JOBS[one] for one in job],
            "age": pa.array(age, pa.int32()),
            "hours": pa.array(hours, mask=random.random(count) < 0.1),
            "member": member,
            "wage": wage,
            "label": np.where(wage > np.median(wage), *CLASSES),
        }
    )


class Unreported(pipeline.Steps):
    """The steps of an erasure but for the page about it."""

    def mirror_audit(self, batch):
        """Tested in tests/tasks/report."""


class People:
    """Two tables of people, and a model of another library that learned from one of them."""

    def __init__(self, services, folder: Path):
        self.services, self.folder = services, folder
        self.training, unseen = people(300, seed=1), people(240, first=300, seed=2)
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        write_deltalake(f"{folder}/train", self.training)
        write_deltalake(f"{folder}/holdout", unseen)

    def recipe(self, code: str) -> str:
        file = self.folder / "recipe.py"
        file.write_text(code)
        return str(file)

    def trained(self, code: str, label: str = "label", features=FEATURES):
        """What the recipe makes of the training table, run as its owner would."""
        found: dict = {}
        exec(code, found)  # noqa: S102
        return found["train"](self.training.select([*features, label]), seed=0, init=None)

    def log(self, model, flavour=None, name="wages", **options) -> None:
        """Log and register it as MLflow's pages show, and put it into service."""
        mlflow.set_tracking_uri(self.services.settings.tracking_uri)
        flavour = flavour or mlflow.sklearn
        options = {"pip_requirements": ["scikit-learn"]} | options
        if flavour is mlflow.sklearn:
            options = {"serialization_format": "cloudpickle"} | options
        given = [] if "python_model" in options else [model]
        place = self.services.settings.home / "theirs"
        experiment = mlflow.create_experiment("theirs", place.as_uri())
        with mlflow.start_run(experiment_id=experiment):
            flavour.log_model(*given, name="model", registered_model_name=name, **options)
        newest = self.services.registry.client.search_model_versions(f"name = '{name}'")
        version = max(int(one.version) for one in newest)
        self.services.registry.set_alias(name, version)

    def source(self, code: str = PIPELINE, label: str = "label", **changes) -> ModelSource:
        facts = {
            "model": "wages",
            "dataset": DatasetSpec(self.table, FEATURES, label, "subject_id"),
            "dataset_version": None,
            "holdout": self.holdout,
            "unlearning": UnlearningConfig(retain_sample=100, holdout_sample=100),
            "policy": GatePolicy(references=0, max_exact_accuracy_loss=0.3),
            "widened_by": "Ada",
            "widened_because": "the tables of the tests are small",
            "budget": DeletionBudget(max_share=1.0),
            "approval": ApprovalPolicy(max_share=1.0),
            "recipe": self.recipe(code) if code else "",
        }
        return ModelSource(**(facts | changes))

    def enroll(self, source=None, **options):
        return enroll.enroll_version(
            self.services, source or self.source(), None, trust_pickle=False, **options
        )

    def erase(self, numbers) -> list[str]:
        """Ask for the erasure of these people and run; what people must look at."""
        lines = [
            json.dumps(
                {
                    "request_id": f"R-{n}",
                    "subject_id": subject(n),
                    "received_at": "2026-11-20T03:04:05Z",
                }
            )
            for n in numbers
        ]
        self.services.store.put("requests/incoming/R.jsonl", "\n".join(lines).encode())
        (batch,) = open_batches.open_batches(self.services)
        models = [one.model for one in enrolled_models(self.services.journal)]
        return pipeline.process_batch(Unreported(self.services), batch, models)
