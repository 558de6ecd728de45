"""Model versions in a real MLflow and their journal, made by hand: a history within a second."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import factories
from factories import disposition, frozen, promotion, validated
from safetensors.torch import save_file
from torch import nn

from tasks.journal import journal
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import AttemptPlanned, VersionPromoted, VersionRegistered
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import BatchFact, batch_stream, model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import record_enrollment
from tasks.registry.mlflow_registry import AUDIT_EXPERIMENT, EFFECT_TAG
from tasks.versions import purging, retirement
from unlearning.model.weights import model_digest
from unlearning.policy.digests import pseudonym

MODEL = "income"


class HandMadeVersions:
    """One enrolled model; `promote` gives it a further version as a batch would."""

    def __init__(self, services, folder: Path, monkeypatch, *, artifacts: str = ""):
        self.services, self.folder = services, folder
        self.monkeypatch = monkeypatch
        self.today(2026, 1, 10)
        self.client = services.registry.client
        place = artifacts or (folder / "artifacts").as_uri()
        for name in (AUDIT_EXPERIMENT, "theirs"):
            self.client.create_experiment(name, artifact_location=f"{place}/{name}")
        self.digests = {}
        self.champion = self.register("theirs", "", {})
        record_enrollment(services.journal, self.enrollment(self.champion))

    @property
    def store(self):
        return self.services.store

    def enrollment(self, version: int) -> Enrollment:
        return factories.enrollment(model=MODEL, version=version, digest=self.digests[version])

    def today(self, year: int, month: int, day: int) -> None:
        moment = datetime(year, month, day, 12, tzinfo=UTC)
        self.monkeypatch.setattr(journal, "now", lambda: moment)

    def register(self, experiment: str, effect: str, tags: dict[str, str]) -> int:
        """Log weights and make them a version under the serving alias."""
        run = self.run(experiment, effect)
        model_id, digest = self.log(experiment, run)
        return self.version_of(f"models:/{model_id}", run, tags, digest)

    def run(self, experiment: str, effect: str) -> str:
        found = self.services.registry.experiment_id(experiment)
        tags = {EFFECT_TAG: effect.partition("/")[0]} if effect else {}
        return self.client.create_run(found, tags=tags).info.run_id

    def log(self, experiment: str, run: str) -> tuple[str, str]:
        module = nn.Linear(4, 2)
        files = self.folder / f"weights-{len(list(self.folder.glob('weights-*')))}"
        (files / "data").mkdir(parents=True)
        save_file(module.state_dict(), files / "data" / "model.safetensors")
        (files / "MLmodel").write_text("flavors: {}\n")
        logged = self.client.create_logged_model(
            self.services.registry.experiment_id(experiment), name="model", source_run_id=run
        )
        self.client.log_model_artifacts(logged.model_id, str(files))
        self.client.finalize_logged_model(logged.model_id, "READY")
        return logged.model_id, model_digest(module.state_dict())

    def version_of(self, source: str, run: str, tags: dict[str, str], digest: str) -> int:
        if not self.client.search_registered_models(f"name = '{MODEL}'"):
            self.client.create_registered_model(MODEL)
        made = self.client.create_model_version(MODEL, source, run_id=run, tags=tags)
        self.digests[int(made.version)] = digest
        self.services.registry.set_alias(MODEL, int(made.version))
        return int(made.version)

    def batch(self, name: str, subjects: list[str], *, parent: int | None = None) -> Attempt:
        """An open batch that planned to forget these subjects; gives its attempt."""
        key = self.services.settings.pseudonym_secret()
        judged = [
            disposition(
                f"{name}-{s}",
                request_id=s,
                received_at="2026-01-02T00:00:00+00:00",
                subject=pseudonym(key, s),
            )
            for s in subjects
        ]
        data = json.dumps([asdict(d) for d in judged]).encode()
        self.store.put(f"batches/{name}/dispositions.json", data)
        planned = factories.attempt(
            key=f"a-{name}",
            batch=name,
            model=MODEL,
            parent_version=parent or self.champion,
            forget_count=len(subjects),
        )
        self.happen(name, ids.FROZEN, frozen())
        self.happen(name, ids.VALIDATED, validated())
        self.happen(name, planned.ids.planned, AttemptPlanned(attempt=planned))
        self.store.put(f"candidates/{planned.key}.safetensors", b"weights")
        self.store.put(f"checkpoints/{planned.key}.safetensors", b"weights")
        return planned

    def candidate(self, name: str, planned: Attempt) -> int:
        """The attempt's registered version, which nobody serves yet."""
        effect = planned.ids.registered
        tags = {EFFECT_TAG: effect, "expunge.batch": name, "expunge.gate": "passed"}
        version = self.register(AUDIT_EXPERIMENT, effect, tags)
        if self.champion in self.versions():
            self.services.registry.set_alias(MODEL, self.champion)
        of = {"model": MODEL, "attempt": planned.key}
        self.happen(name, effect, VersionRegistered(**of, version=version))
        return version

    def promote(self, name: str, subjects: list[str]) -> int:
        """A batch that promoted its candidate and is not closed yet."""
        parent, planned = self.champion, self.batch(name, subjects)
        version = self.candidate(name, planned)
        self.services.registry.move_alias(MODEL, parent=parent, version=version)
        facts = promotion(planned, version, digest=self.digests[version])
        promoted = VersionPromoted(
            model=MODEL, attempt=planned.key, version=version, digest=facts.digest
        )
        self.happen(name, planned.ids.promoted, promoted)
        self.services.journal.append(model_stream(MODEL), planned.ids.promoted, facts)
        self.champion = version
        retirement.retire(self.services, MODEL)
        return version

    def close(self, name: str) -> None:
        self.happen(name, ids.CLOSED, BatchClosed())

    def happen(self, name: str, event_id: str, facts: BatchFact) -> None:
        self.services.journal.append(batch_stream(name), event_id, facts)

    def hold(self, subject: str) -> None:
        self.store.put("requests/holds/h.jsonl", json.dumps({"subject_id": subject}).encode())

    def verbs(self) -> dict[int, str]:
        return {a.version: a.verb for a in retirement.survey(self.services, MODEL)}

    def purge(self) -> list[int]:
        """Purge what is due, as the flow does."""
        due = purging.due(self.services, MODEL)
        for version in due:
            purging.purge(self.services, MODEL, version)
        return due

    def files(self) -> list[Path]:
        """Every file of weights that MLflow keeps."""
        return sorted(self.folder.glob("artifacts/**/model.safetensors"))

    def versions(self) -> list[int]:
        found = self.client.search_model_versions(f"name = '{MODEL}'")
        return sorted(int(v.version) for v in found)

    def events(self, kind: type) -> list:
        """Facts of this type in the model's stream."""
        events = self.services.journal.read(model_stream(MODEL))
        return [e.facts for e in events if isinstance(e.facts, kind)]
