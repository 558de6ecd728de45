"""Where a history happens: a real lake, store and registry, and whatever people do with them."""

import io
import json
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from histories.lake import TABLES, Lake, Person, near
from mlflow.exceptions import MlflowException

from flows.commands.status import status
from tasks import pipeline
from tasks.approval import approvals, questions, settlements
from tasks.attempts import unhindered, withdrawal
from tasks.enrolling import enroll, train
from tasks.enrolling.source import ModelSource
from tasks.environment.settings import load_settings
from tasks.intake import legal_holds, reduction
from tasks.intake.submission import submit_file
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import enrolled_models, read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.store.format import check_format
from tasks.store.pseudonym_keys import UNDER_WAY
from tasks.subjects import (
    key_rotation,
    open_batches,
    protection,
    replay,
    returned,
    snapshots,
    standstills,
    tied_tables,
)
from tasks.versions import alias_floor, leftovers, purging, retirement
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError, DataError, ExpungeError, TransientError
from unlearning.policy.subject_kinds import kind_pseudonym

MODELS = {"income": "people", "loans": "people", "hours": "staff"}
"""Models, each with the table that it learns from; the holdout bears its name."""
ENROLLED = ("income", "hours")
"""Those that a history begins with."""
_TRAINING = TrainingConfig(epochs=2, batch_size=16)


def copy_of(model: str) -> str:
    """The registered model that copies of a model's versions go to."""
    return f"prod-{model}"


def _named(person: Person, *, is_near: bool) -> dict[str, str]:
    return {"subject_id": near(person) if is_near else person.id, "subject_kind": person.kind}


class Unreported(pipeline.Steps):
    """The steps of an erasure but for the page about it, whose pictures take a second."""

    def mirror_audit(self, batch: str) -> None:
        pass


class _Listener(logging.Handler):
    """Writes down whatever is said, as a log that people keep."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self.path = path

    def emit(self, record: logging.LogRecord) -> None:
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            file.write(f"{self.format(record)}\n")


class Place:
    """A folder with everything in it, put back to its beginning before each history."""

    def __init__(self, base: Path, database: Path) -> None:
        self.live, self.kept, self.outside = base / "live", base / "kept", base / "outside"
        self.lake = Lake(self.live / "tables", self.outside)
        self.home = self.live / "home"
        self.home.mkdir(parents=True)
        shutil.copy(database, self.home / "mlflow.db")
        os.environ["EXPUNGE_HOME"] = str(self.home)
        self.asking: set[str] = set()
        self.outside.mkdir()
        self.lake.make()
        self.open()
        for model in ENROLLED:
            self.train(model, MODELS[model])
        shutil.copytree(self.live, self.kept)

    def open(self) -> Services:
        """A process that begins: nothing is remembered of the one before."""
        self.services = Services.open(load_settings())
        return self.services

    def begin(self, *, days: int, asking: set[str]) -> None:
        """Everything as it was once the models were enrolled; some ask before they forget."""
        self.asking = asking
        os.environ["EXPUNGE_RETIREMENT_DAYS"] = str(days)
        shutil.rmtree(self.outside)
        self.outside.mkdir()
        # In place, for MLflow keeps the database open.
        with (
            sqlite3.connect(self.kept / "home/mlflow.db") as before,
            sqlite3.connect(self.home / "mlflow.db") as now,
        ):
            before.backup(now)
        for path in [*self.live.iterdir(), *self.home.iterdir()]:
            if path.name.startswith("mlflow.db") or path == self.home:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for before in [*self.kept.iterdir(), *(self.kept / "home").iterdir()]:
            now = self.live / before.relative_to(self.kept)
            if now.exists() or before.name.startswith("mlflow.db"):
                continue
            shutil.copytree(before, now) if before.is_dir() else shutil.copy(before, now)
        self.open()
        for model in asking & {*ENROLLED}:
            self.enrol_again(model, MODELS[model])

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Everything that is logged lies in the place, too."""
        ear, ours, root = (
            _Listener(self.live / "log" / "all.txt"),
            logging.getLogger("expunge"),
            logging.getLogger(),
        )
        before = ours.level
        ours.setLevel(logging.INFO)
        root.addHandler(ear)
        try:
            yield
        finally:
            root.removeHandler(ear)
            ours.setLevel(before)

    def source(self, model: str, name: str) -> ModelSource:
        table = TABLES[name]
        return ModelSource(
            model=model,
            dataset=DatasetSpec(
                self.lake.uri(table.name),
                ("features",),
                "label",
                table.column,
                subject_kind=table.kind,
            ),
            dataset_version=None,
            holdout=self.lake.uri(f"{table.name}-unseen"),
            unlearning=UnlearningConfig(
                method="retrain", retraining=_TRAINING, retain_sample=15, holdout_sample=15
            ),
            policy=GatePolicy(references=0, max_exact_accuracy_loss=1.0),
            widened_by="Ada",
            widened_because="the tables of the tests are small",
            budget=DeletionBudget(max_share=1.0),
            approval=ApprovalPolicy(max_share=1.0, always=model in self.asking),
        )

    def train(self, model: str, table: str) -> tuple[int | None, bool]:
        """Train a version on the table's newest rows, None if that is refused, and enrol it."""
        services, source, version = self.open(), self.source(model, table), None
        with suppress(ExpungeError):
            version = train.train_version(services, source, (4,), _TRAINING)
            enroll.enroll_version(services, source, version, trust_pickle=False)
            return version, True
        return version, False

    def enrol_again(self, model: str, table: str) -> bool:
        """Enrol the version in service once more, on the table's newest rows."""
        with suppress(ExpungeError):
            source = self.source(model, table)
            enroll.enroll_version(self.open(), source, None, trust_pickle=False)
            return True
        return False

    def close_table(self, table: str) -> bool:
        """Say that a table is to be searched no more; whether that was taken."""
        with suppress(ExpungeError):
            services, uri = self.open(), self.lake.uri(table)
            tied_tables.close_table(services, uri, name="Ada", reason="nobody needs it")
            return True
        return False

    def waiting(self) -> list[str]:
        """Batches that somebody must answer."""
        return sorted(asked.batch for _, asked in questions.waiting(self.open()))

    def decide(self, batch: str, decision: approvals.Decision) -> bool:
        """Answer for a batch; whether the answer was taken."""
        with suppress(ConflictError):
            approvals.decide(self.open(), batch, decision, name="Ada", reason="as agreed")
            return True
        return False

    def rotate_key(self) -> bool:
        """Go on under a new pseudonym key; whether that was taken."""
        with suppress(ConflictError):
            key_rotation.rotate(self.open(), name="Ada")
            return True
        return False

    def bury(self) -> None:
        """Let go of what a process that died would hold no longer; here it lives on."""
        lease.give_back(self.services.store)

    def is_rotating(self) -> bool:
        """Whether a rotation of the key was begun and did not end."""
        return any(self.services.store.list_objects(UNDER_WAY))

    def submit(self, name: str, *asked: tuple[str, Person, bool], is_late: bool = False) -> None:
        """Send in a file of requests: the id of each, whom it names, and whether only nearly."""
        days = 29 if is_late else 1
        received = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        rows = [
            {"request_id": request, "received_at": received, **_named(person, is_near=is_near)}
            for request, person, is_near in asked
        ]
        submit_file(self.open(), self._file(name, rows), "requests/incoming/")

    def hold(self, name: str, person: Person, *, is_near: bool, is_for_all: bool) -> bool:
        """Place a hold; whether it was taken: one that protects nobody is refused."""
        row = _named(person, is_near=is_near)
        if is_for_all:
            del row["subject_kind"]
        with suppress(ExpungeError):
            protection.place(self.open(), self._file(name, [row]))
            return True
        return False

    def release(self, name: str) -> None:
        legal_holds.release(self.open(), f"{name}.jsonl")

    def unclear(self) -> list[str]:
        """Requests that wait for somebody to say who is meant."""
        events = [event for _, event in self.open().journal.open_requests()]
        return sorted(e.facts.request_id for e in events if e.status == "unclear")

    def settle(self, request: str, choice: settlements.Choice) -> None:
        settlements.settle(self.open(), request, choice, name="Ada", reason="they said so")

    def reinstate(self, person: Person) -> bool:
        """Let models learn from them again; whether they were on the suppression list."""
        with suppress(DataError):
            returned.reinstate(self.open(), self.pseudonym(person), name="Ada", reason="is back")
            return True
        return False

    def erase_again(self, person: Person) -> bool:
        """Ask for the rows of somebody who was erased; whether there was anything to ask for."""
        with suppress(DataError):
            replay.erase_again(self.open(), self.pseudonym(person), name="Ada", reason="is back")
            return True
        return False

    def _file(self, name: str, rows: list[dict[str, Any]]) -> Path:
        path = self.outside / f"{name}.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)) + "\n")
        return path

    def run(self, *, is_reported: bool = False) -> list[str]:
        """What `expunge run` does, without an orchestrator; returns what people must look at."""
        services = self.open()
        steps = (pipeline.Steps if is_reported else Unreported)(services)
        return self._work_off(steps) + self._retire(services)

    def _work_off(self, steps: pipeline.Steps) -> list[str]:
        services, self.was_away = self.services, False
        try:
            check_format(services.store)
            withdrawal.finish_withdrawals(services)
            models = self.served()
            troubles = alias_floor.enforce(services)
            snapshots.look_after_snapshots(services)
            batches = open_batches.open_batches(services)
        except ExpungeError as error:
            self.was_away = isinstance(error, TransientError)
            return [str(error)]
        for batch in batches:
            try:
                troubles += pipeline.process_batch(steps, batch, models)
                standstills.note_progress(services, batch)
            except ExpungeError as error:
                standstills.note_standstill(services, batch, standstills.reason_of(error))
                troubles.append(str(error))
            if read_batch(services.journal, batch).status == "blocked":
                unhindered.send_unhindered(services, batch)
            batches += [b for b in open_batches.unfinished(services) if b not in batches]
        reduction.reduce_closed(services)
        return troubles

    def served(self) -> list[str]:
        """Models in service."""
        return [e.model for e in enrolled_models(self.services.journal) if not e.is_withdrawn]

    def replay(self) -> list[str]:
        """What `expunge replay` does; returns what people must look at."""
        services = self.open()
        try:
            troubles = alias_floor.enforce(services) + snapshots.look_after_snapshots(services)
            replay.request_replays(services)
        except ExpungeError as error:
            return [str(error)]
        return troubles

    def retire(self) -> list[str]:
        """What `expunge retire` does; returns what people must look at."""
        return self._retire(self.open())

    def _retire(self, services: Services) -> list[str]:
        troubles: list[str] = []
        for one in list(enrolled_models(services.journal)):
            try:
                troubles += retirement.retire(services, one.model)
                for version in purging.due(services, one.model):
                    purging.purge(services, one.model, version)
            except ExpungeError as error:
                troubles.append(str(error))
        leftovers.drop_leftovers(services)
        return troubles

    def champion(self, model: str) -> int | None:
        return self.services.registry.alias_version(model)

    def roll_back(self, model: str, version: int) -> None:
        """A person serves an older version, if there is one."""
        with suppress(ExpungeError):
            self.services.registry.set_alias(model, version)

    def copy_version(self, model: str, version: int) -> int | None:
        """Copy a version to another registered model, and serve it there."""
        client, to = self.services.registry.client, copy_of(model)
        with suppress(MlflowException):  # purged
            made = client.copy_model_version(f"models:/{model}/{version}", to)
            client.set_registered_model_alias(to, self.services.settings.alias, made.version)
            return int(made.version)
        return None

    def status(self) -> dict[str, Any]:
        """What `expunge status` shows."""
        said = io.StringIO()
        with redirect_stdout(said):
            status(as_json=True)
        return json.loads(said.getvalue())

    def pseudonym(self, person: Person) -> str:
        secret = self.services.settings.pseudonym_secret()
        return kind_pseudonym(secret, person.kind, person.id)
