"""Model versions in a real MLflow and their journal, made by hand: a lineage within a second."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from tasks.datasets.spec import DatasetSpec
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, record_enrollment, stream
from tasks.registry import mlflow_registry
from tasks.settings import load_settings
from tasks.store import journal
from tasks.versions import retirement
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import pseudonym

MODEL = "income"


class LineageOfHand:
    """One enrolled model; `promote` gives it a further version as a batch would."""

    def __init__(self, store, folder: Path, monkeypatch, *, artifacts: str = ""):
        self.store, self.folder = store, folder
        self.monkeypatch = monkeypatch
        self.today(2026, 1, 10)
        self.client = mlflow_registry.client()
        place = artifacts or (folder / "artifacts").as_uri()
        for name in (mlflow_registry.AUDIT_EXPERIMENT, "theirs"):
            self.client.create_experiment(name, artifact_location=f"{place}/{name}")
        self.digests = {}
        self.champion = self.register("theirs", "", {})
        record_enrollment(store, self.enrollment(self.champion))

    def enrollment(self, version: int) -> Enrollment:
        return Enrollment(
            model=MODEL,
            version=version,
            digest=self.digests[version],
            dataset=DatasetSpec("file:///train", ("features",), "label", "subject_id"),
            dataset_version=0,
            row_count=100,
            holdout="file:///holdout",
            unlearning=UnlearningConfig(),
            policy=GatePolicy(),
            deletions=Deletions(trained_rows=100),
        )

    def today(self, *ymd: int) -> None:
        moment = datetime(*ymd, 12, tzinfo=UTC)
        self.monkeypatch.setattr(journal, "now", lambda: moment)

    def register(self, experiment: str, effect: str, tags: dict[str, str]) -> int:
        """Log weights and make them a version under the serving alias."""
        run = self.run(experiment, effect)
        model_id, digest = self.log(experiment, run)
        return self.version_of(f"models:/{model_id}", run, tags, digest)

    def run(self, experiment: str, effect: str) -> str:
        found = mlflow_registry.experiment_id(experiment)
        tags = {mlflow_registry.EFFECT_TAG: effect.partition("/")[0]} if effect else {}
        return self.client.create_run(found, tags=tags).info.run_id

    def log(self, experiment: str, run: str) -> tuple[str, str]:
        module = nn.Linear(4, 2)
        files = self.folder / f"weights-{len(list(self.folder.glob('weights-*')))}"
        (files / "data").mkdir(parents=True)
        save_file(module.state_dict(), files / "data" / "model.safetensors")
        (files / "MLmodel").write_text("flavors: {}\n")
        logged = self.client.create_logged_model(
            mlflow_registry.experiment_id(experiment), name="model", source_run_id=run
        )
        self.client.log_model_artifacts(logged.model_id, str(files))
        self.client.finalize_logged_model(logged.model_id, "READY")
        return logged.model_id, model_digest(module.state_dict())

    def version_of(self, source: str, run: str, tags: dict[str, str], digest: str) -> int:
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL)
        made = self.client.create_model_version(MODEL, source, run_id=run, tags=tags)
        self.digests[int(made.version)] = digest
        mlflow_registry.set_alias(MODEL, int(made.version))
        return int(made.version)

    def batch(self, name: str, subjects: list[str], *, parent: int | None = None) -> str:
        """An open batch that planned to forget these subjects; gives its attempt."""
        key = load_settings().pseudonym_secret()
        judged = [
            Disposition(f"{name}-{s}", s, "accepted", "", "2026-01-02T00:00:00+00:00", "",
                        pseudonym(key, s)) for s in subjects
        ]  # fmt: skip
        data = json.dumps([asdict(d) for d in judged]).encode()
        self.store.put(f"batches/{name}/dispositions.json", data)
        self.happen(name, "frozen", "BatchFrozen")
        self.happen(name, "validated", "BatchValidated")
        attempt = f"a-{name}"
        plan = {"key": attempt, "model": MODEL, "parent_version": parent or self.champion}
        self.happen(name, f"{attempt}/planned", "UnlearningPlanned", **plan)
        self.store.put(f"candidates/{attempt}.safetensors", b"weights")
        self.store.put(f"checkpoints/{attempt}.safetensors", b"weights")
        return attempt

    def candidate(self, name: str, attempt: str) -> int:
        """The attempt's registered version, which nobody serves yet."""
        effect = f"{attempt}/registered"
        tags = {mlflow_registry.EFFECT_TAG: effect, "expunge.batch": name, "expunge.gate": "passed"}
        version = self.register(mlflow_registry.AUDIT_EXPERIMENT, effect, tags)
        if self.champion in self.versions():
            mlflow_registry.set_alias(MODEL, self.champion)
        facts = {"model": MODEL, "attempt": attempt, "version": version}
        self.happen(name, effect, "VersionRegistered", **facts)
        return version

    def promote(self, name: str, subjects: list[str]) -> int:
        """A batch that promoted its candidate and is not closed yet."""
        parent, attempt = self.champion, self.batch(name, subjects)
        version = self.candidate(name, attempt)
        mlflow_registry.move_alias(MODEL, parent=parent, version=version)
        facts = {"model": MODEL, "attempt": attempt, "version": version, "batch": name,
                 "parent_version": parent, "digest": self.digests[version],
                 "forget_count": len(subjects), "method": "calibrated"}  # fmt: skip
        self.happen(name, f"{attempt}/promoted", "ChampionPromoted", **facts)
        entry = journal.Entry(stream(MODEL), f"{attempt}/promoted", "ChampionPromoted", facts)
        journal.append(self.store, entry)
        self.champion = version
        retirement.retire(self.store, MODEL)
        return version

    def close(self, name: str) -> None:
        self.happen(name, "closed", "BatchClosed")

    def happen(self, name: str, event_id: str, event: str, /, **facts) -> None:
        journal.append(self.store, journal.Entry(batches.stream(name), event_id, event, facts))

    def hold(self, subject: str) -> None:
        self.store.put("requests/holds/h.jsonl", json.dumps({"subject_id": subject}).encode())

    def verbs(self) -> dict[int, str]:
        return {a.version: a.verb for a in retirement.survey(self.store, MODEL)}

    def purge(self) -> list[int]:
        """Purge what is due, as the flow does."""
        due = retirement.due(self.store, MODEL)
        for version in due:
            retirement.purge(self.store, MODEL, version)
        return due

    def files(self) -> list[Path]:
        """Every file of weights that MLflow keeps."""
        return sorted(self.folder.glob("artifacts/**/model.safetensors"))

    def versions(self) -> list[int]:
        found = self.client.search_model_versions(f"name = '{MODEL}'")
        return sorted(int(v.version) for v in found)

    def events(self, name: str) -> list[dict]:
        return [e.facts for e in journal.read(self.store, stream(MODEL)) if e.name == name]
