"""What became of a subject, and what a model version was made to forget, step by step."""

from dataclasses import asdict
from typing import Any

from tasks.certificates.status import requests
from tasks.enrolling.recipes.kept import recipe_digest, stated_recipe
from tasks.journal.events.catalog import model_stream, request_stream, to_json
from tasks.journal.events.models import (
    ChampionPromoted,
    ModelEnrolled,
    ModelFact,
    ModelUnenrolled,
    ModelWithdrawn,
)
from tasks.journal.events.versions import AliasLost, VersionPurged, VersionRetired
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.reading import read_batch, read_model
from tasks.registry.services import Services
from unlearning.errors import DataError
from unlearning.policy.subject_kinds import PERSON, kind_pseudonym

_Ends = dict[int, list[dict[str, Any]]]
"""What became of versions, by their numbers."""


def trace_subject(services: Services, subject_id: str, kind: str = PERSON) -> list[dict[str, Any]]:
    """Every event of every request of a subject of this kind, found by pseudonym."""
    wanted = kind_pseudonym(services.settings.pseudonym_secret(), kind, subject_id)
    found: list[dict[str, Any]] = []
    for name, head in services.journal.requests():
        if head.facts.subject == wanted:
            events = services.journal.read(request_stream(name))
            found.append({"record_id": name, "events": [to_json(e) for e in events]})
    return found


def trace_version(services: Services, model: str, version: int) -> list[dict[str, Any]]:
    """The erasures that led to a model version, newest first, down to the one that was enrolled.

    Each version says what became of it since: whether it was withdrawn, retired, or purged. One
    that a batch made and never promoted names that batch; to find it costs a read of every batch.

    Raises:
        DataError: the model or version is unknown here.
    """
    history = read_model(services.journal, model)
    if history.enrollment is None:
        raise DataError(
            f"No model {model!r} is enrolled here; `expunge status` lists those that are."
        )
    ends = _ends(services, model)
    if version not in history.weights.attempts:
        return [{**_made(services, model, version), "since": ends.get(version, [])}]
    chain: list[dict[str, Any]] = []
    while version in history.promoted:
        event = history.promoted[version]
        mine = requests(services, event.facts.batch)
        erased = [r.request_id for r in mine if r.status == "erased"]
        one = {"version": version, "at": event.at, "requests": erased, **asdict(event.facts)}
        made = read_batch(services.journal, event.facts.batch).attempts.get(event.facts.attempt)
        chain.append({**one, **_trained_by(made), "since": ends.get(version, [])})
        version = event.facts.parent_version
    return chain + _origin(services, model, version, ends)


def _made(services: Services, model: str, version: int) -> dict[str, Any]:
    """The version as a candidate that was registered and never served."""
    for batch, _ in services.journal.batches():
        for one in read_batch(services.journal, batch).of_model(model):
            if one.registered is not None and one.registered.version == version:
                attempt = one.attempt
                return {
                    "version": version,
                    "at": one.made_at,
                    "made_in": batch,
                    "parent_version": attempt.parent_version,
                    "method": attempt.method,
                    "rung": attempt.rung,
                    "served": False,
                    **_trained_by(one),
                }
    raise DataError(
        f"Version {version} of {model} was never enrolled, nor made here; see `expunge status`."
    )


def _trained_by(made: AttemptHistory | None) -> dict[str, str]:
    """The recipe that trained it; nothing if none did."""
    return stated_recipe(made.made.recipe) if made and made.made else {}


def _origin(services: Services, model: str, version: int, ends: _Ends) -> list[dict[str, Any]]:
    """The version that the first erasure began with, as it was enrolled."""
    for event in services.journal.read(model_stream(model)):
        facts = event.facts
        if isinstance(facts, ModelEnrolled) and facts.enrollment.version == version:
            one = facts.enrollment
            return [
                {
                    "version": version,
                    "at": event.at,
                    "enrolled_on": one.snapshot,
                    "row_count": one.row_count,
                    "digest": one.digest,
                    "recipe": recipe_digest(one.recipe),
                    "since": ends.get(version, []),
                }
            ]
    return []


def _ends(services: Services, model: str) -> _Ends:
    """What became of each version: withdrawn, taken out, retired, purged; oldest first."""
    found: _Ends = {}
    serving = 0
    for event in services.journal.read(model_stream(model)):
        facts = event.facts
        if isinstance(facts, ModelEnrolled):
            serving = facts.enrollment.version
        elif isinstance(facts, ChampionPromoted):
            serving = facts.version
        elif (end := _end(facts, serving)) is not None:
            version, told = end
            found.setdefault(version, []).append({"at": event.at, **told})
    return found


def _end(facts: ModelFact, serving: int) -> tuple[int, dict[str, str]] | None:
    """The version that an event ends, and how; None if it ends none."""
    match facts:
        case ModelWithdrawn(batch=batch):
            return serving, {"what": "withdrawn", "batch": batch}
        case ModelUnenrolled(name=name, reason=reason):
            return serving, {"what": "taken out", "by": name, "why": reason}
        case AliasLost(found=version):
            return version, {"what": "alias taken away"}
        case VersionRetired(version=version, batch=batch, why=why, purge_on=day):
            told = {"what": "retired", "batch": batch, "why": why, "purge_on": str(day)}
            return version, told
        case VersionPurged(version=version):
            return version, {"what": "purged"}
        case _:
            return None
