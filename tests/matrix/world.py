"""A small world that everything can break: two tables, a model, requests of every kind.

It is made once (`prepare`) and put back in place before every case (`Place.restore`), because the
state holds absolute addresses.
"""

import json
import os
import shutil
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from small_tables import subject, write_tables
from terminal import request

from tasks.environment.settings import load_settings
from tasks.registry.services import Services

ERASED = ("CASE-00000", "CASE-00001", "CASE-00002", "CASE-00003")
NOT_FOUND = "CASE-00500"
HELD = "CASE-00004"
UNUSABLE = "CASE-00502"
TRAIN_ROWS, HOLDOUT_ROWS = 120, 160
MODEL = "income"
BUCKET = "matrix"


def requests() -> list[dict]:
    """Valid (one of them with rows in both tables), duplicate, not found, held, unusable.

    They came a few days ago: versions that remember are purged before a request is due, so that one
    that is overdue would have every run after a slow clock's ask why the held ones stay.
    """
    then = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    return [
        *(request(i, received_at=then) for i in range(3)),
        request(3, subject_id=subject(TRAIN_ROWS + 7), received_at=then),  # a row of the holdout
        request(0, received_at=then),
        request(500, subject_id="nobody-we-know", received_at=then),
        request(4, received_at=then),
        request(502, received_at="2999-01-01T00:00:00Z"),
    ]


@dataclass
class Place:
    """Where the world lies: `live` is worked on, `kept` is what it is restored from."""

    base: Path
    s3: str = ""
    """Endpoint through which store and tables are reached; empty: they are in the directory."""
    mlflow: str = ""
    """Address through which MLflow is reached; empty: its database is in the directory."""

    @property
    def live(self) -> Path:
        return self.base / "live"

    @property
    def kept(self) -> Path:
        return self.base / "kept"

    def enter(self) -> None:
        """Set this process's variables, before anything reads them."""
        os.environ["EXPUNGE_HOME"] = str(self.live)
        os.environ["EXPUNGE_SETTLE_SECONDS"] = "0"
        os.environ["EXPUNGE_UNCOMMITTED_HOURS"] = "0"  # what a killed deletion left goes at once
        if self.s3:
            os.environ["EXPUNGE_STORE"] = f"s3://{BUCKET}/store"
            os.environ["EXPUNGE_S3_ENDPOINT_URL"] = self.s3
        if self.mlflow:
            os.environ["EXPUNGE_MLFLOW_TRACKING_URI"] = self.mlflow
            os.environ["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"

    @property
    def folder(self) -> str:
        """URI of the folder of the tables."""
        return f"s3://{BUCKET}/tables" if self.s3 else (self.live / "tables").as_uri()

    def tables(self) -> list[str]:
        return [f"{self.folder}/{name}" for name in ("train", "holdout")]

    def keep(self) -> None:
        shutil.copytree(self.live, self.kept)

    def restore(self) -> None:
        shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(self.kept, self.live)


def make_database(path: Path) -> None:
    """MLflow's database with its tables, in a file that no connection is open to."""
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{path}").search_experiments()
    with sqlite3.connect(path) as database:
        database.execute("pragma wal_checkpoint(truncate)")


def prepare(place: Place) -> None:
    """Train, enrol, place a hold, submit: everything up to the first run."""
    place.live.mkdir(parents=True, exist_ok=True)
    place.enter()
    if not place.mlflow:
        make_database(place.live / "mlflow.db")
    from tasks.tables.delta import storage_options

    options = storage_options(load_settings(), place.folder)
    write_tables(place.folder, train=TRAIN_ROWS, holdout=HOLDOUT_ROWS, storage=options)
    enroll(*place.tables())
    hold = place.base / "hold.jsonl"
    hold.write_text(json.dumps({"subject_id": subject(4)}))
    put_in(hold, "requests/holds/")
    file = place.base / "requests.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in requests()))
    put_in(file, "requests/incoming/")


def put_in(file: Path, prefix: str) -> None:
    from tasks.intake.submission import submit_file

    services = Services.open(load_settings())
    services.store.check()
    submit_file(services, file, prefix)


def enroll(train: str, holdout: str) -> None:
    from flows.train_model import train_model
    from tasks.enrolling.source import ModelSource
    from tasks.journal.events.enrollment import DatasetSpec
    from unlearning.config.approval_policy import ApprovalPolicy
    from unlearning.config.gate_policy import GatePolicy
    from unlearning.config.training_config import TrainingConfig
    from unlearning.config.unlearning_config import UnlearningConfig

    source = ModelSource(
        model=MODEL,
        dataset=DatasetSpec(train, ("features",), "label", "subject_id"),
        dataset_version=None,
        holdout=holdout,
        unlearning=UnlearningConfig(retain_sample=40, holdout_sample=40),
        policy=GatePolicy(
            references=1,
            reference_rows=60,
            # On forty rows anything could hide, which is not what is tried here.
            max_possible_loss=1.0,
            max_exact_possible_loss=1.0,
            # Whatever cannot be made to forget is withdrawn at once: none of the requests is due.
            last_resort="withdraw",
            withdraw_days=40,
        ),
        approval=ApprovalPolicy(max_share=0.5),
        widened_by="Ada",
        widened_because="the tables of the tests are small",
    )
    train_model(source, (8,), TrainingConfig(epochs=3, batch_size=16))
