"""Versions of a model that still remember erased people, as journal and registry show them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

from tasks.intake import batches, legal_holds
from tasks.journal.events import ids
from tasks.journal.events.attempt import AttemptIds
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.transitions import FINAL
from tasks.journal.events.versions import VersionRetired
from tasks.journal.histories.model import ModelHistory, before_end, model_history
from tasks.journal.reading import read_batch, read_enrollment, read_model
from tasks.registry import artifacts, mlflow_registry, model_versions
from tasks.registry.all_versions import (
    Listed,
    files_key,
    listed_versions,
    version_key,
    without_secrets,
)
from tasks.registry.model_versions import Registered
from tasks.registry.services import Services
from tasks.registry.shared_files import sharers
from unlearning.policy.retirement import OldVersion, remembering


@dataclass(frozen=True, slots=True)
class Remembered:
    """One old version: what it is, and why it must go."""

    version: int
    digest: str
    effect: str
    """Key of the effect that made it; empty if somebody else did."""
    batch: str
    why: str

    @property
    def attempt(self) -> str:
        """Key of the attempt that made it; empty if somebody else did."""
        made = AttemptIds.behind(self.effect)
        return made.key if made else ""


@dataclass(frozen=True, slots=True)
class VersionHistory:
    """A model's old versions, and where each of them stands."""

    alias: str
    """The alias that serving follows."""
    enrollment: Enrollment
    model: ModelHistory
    registered: dict[int, Registered]
    remembered: dict[int, Remembered]
    known: frozenset[int]
    """Every version that was ever enrolled or promoted."""

    def is_served(self, version: int) -> bool:
        """Whether the serving alias, or the enrolment, stands on the version."""
        now = self.registered.get(version)
        current = version == self.enrollment.version and not self.enrollment.is_withdrawn
        return current or (now is not None and self.alias in now.aliases)


def read_version_history(services: Services, model: str) -> VersionHistory:
    """Every version of ours that remembers erased people, or that no batch needs any more.

    Versions that were never enrolled nor made here are none of ours, whatever they remember: nobody
    can tell without their training rows.
    """
    history = read_model(services.journal, model)
    registered = model_versions.registered_versions(services.registry, model)
    known = _known(history, registered)
    remembered = {
        version: Remembered(version, *known[version], batch, f"it remembers the rows of {batch}")
        for version, batch in remembering(history.weights.moments).items()
    }
    remembered |= _retired(history)
    mine = {effect for _, effect in known.values()} - {""}
    for version, found in registered.items():
        if version in known or version in remembered:
            continue
        if original := _original(model, found, registered, remembered):
            remembered[version] = replace(original, version=version)
        elif found.effect not in mine and _is_abandoned(services, found):
            batch = found.tags["expunge.batch"]
            why = f"{batch} registered it and never promoted it"
            digest = found.tags.get(mlflow_registry.DIGEST_TAG, "")
            remembered[version] = Remembered(version, digest, found.effect, batch, why)
    enrollment = read_enrollment(services.journal, model)
    return VersionHistory(
        services.settings.alias, enrollment, history, registered, remembered, frozenset(known)
    )


def old_versions(services: Services, model: str, today: date) -> list[OldVersion]:
    """The model's old versions with all that decides about them."""
    versions = read_version_history(services, model)
    listed = cache(lambda: listed_versions(services.registry))
    return [
        _old(services, versions, version, today, listed) for version in sorted(versions.remembered)
    ]


def earlier(services: Services, model: str, batch: str, *, as_of: int) -> list[dict[str, Any]]:
    """Versions that remember the batch's rows: until when they exist, and where the proof will be.

    Which ones is as of the batch's own promotion or withdrawal, and until when as of the model's
    event of this number, so that a certificate says the same for ever.
    """
    events = services.journal.read(model_stream(model))
    then, now = model_history(before_end(events, batch)), model_history(events)
    until = {
        version: retired.purge_on.isoformat()
        for version, retired in now.retired.items()
        if now.retired_in[version] <= as_of
    }
    return [
        {
            "version": version,
            "exists_until": until.get(version, "retired"),
            "proof": f"event {ids.purged_version(version)} in journal/{model_stream(model)}/",
        }
        for version in sorted(set(remembering(then.weights.moments)) - then.purged.keys())
    ]


def retirement_counts(services: Services, model: str) -> dict[str, int]:
    """How many old versions wait for their purge, and how many are gone."""
    history = read_model(services.journal, model)
    purged = len(history.purged)
    return {"retired": len(history.retired) - purged, "purged": purged}


def _known(history: ModelHistory, registered: dict[int, Registered]) -> dict[int, tuple[str, str]]:
    """Digest and effect of every version that was ever enrolled or promoted."""
    return {
        version: (
            history.weights.digest_of(version),
            registered[version].effect if version in registered else _effect(attempt),
        )
        for version, attempt in history.weights.attempts.items()
    }


def _effect(attempt: str) -> str:
    return AttemptIds(attempt).registered if attempt else ""


def _retired(history: ModelHistory) -> dict[int, Remembered]:
    """Versions to be purged, be they deleted in MLflow: a purge that was cut off is finished."""
    return {
        version: Remembered(version, one.digest, _effect(one.attempt), one.batch, one.why)
        for version, one in history.retired.items()
        if version not in history.purged
    }


def _original(
    model: str,
    found: Registered,
    registered: dict[int, Registered],
    remembered: dict[int, Remembered],
) -> Remembered | None:
    """The old version that this one registers once more: a call sent twice, a copy, by hand."""
    for one in remembered.values():
        sources = {version_key(model, one.version)}
        if one.version in registered:
            sources.add(files_key(registered[one.version].source))
        if (found.effect and found.effect == one.effect) or files_key(found.source) in sources - {
            ""
        }:
            return one
    return None


def _is_abandoned(services: Services, found: Registered) -> bool:
    batch = found.tags.get("expunge.batch", "")
    if not batch or AttemptIds.behind(found.effect) is None:
        return False
    return read_batch(services.journal, batch).status in FINAL["batches"]


def _old(
    services: Services,
    versions: VersionHistory,
    version: int,
    today: date,
    listed: Callable[[], list[Listed]],
) -> OldVersion:
    retired = versions.model.retired.get(version)
    found = OldVersion(
        version,
        versions.remembered[version].why,
        is_champion=versions.is_served(version),
        purge_on=retired.purge_on if retired else None,
        is_purged=version in versions.model.purged,
    )
    if retired is None or found.is_purged or today < retired.purge_on:
        return found
    model = versions.enrollment.model
    places = [retired.source, *(one.uri for one in retired.places)]
    shared = sharers(services.registry, listed(), model, version, places)
    others = [one for one in shared if one.place not in {(model, n) for n in versions.remembered}]
    needed = (
        _held(services, versions.model, version)
        or _in_work(services, model, version)
        or _foreign(services, retired)
        or (others[0].why if others else "")
    )
    mine = tuple(one.version for one in shared if one not in others)
    return replace(found, needed=needed, shares_with=mine)


def _held(services: Services, history: ModelHistory, version: int) -> str:
    """A batch that unlearned from this version somebody whom a legal hold names by now."""
    children = [end.batch for end in history.ends if end.parent_version == version]
    held = legal_holds.register(services)
    for batch in children if held else ():
        if any(held.protects(d) for d in batches.dispositions(services, batch)):
            return f"a legal hold names a subject of {batch}, whose rows it was to forget"
    return ""


def _in_work(services: Services, model: str, version: int) -> str:
    """An open batch that goes on from this version, or has it for its candidate."""
    for batch, _ in services.journal.open_batches():
        history = read_batch(services.journal, batch)
        made = {one.registered.version for one in history.of_model(model) if one.registered}
        latest = history.plans.get(model)
        # Earlier plans were overtaken: the batch will never ask for their parents again.
        if version in made or (latest and latest.attempt.parent_version == version):
            return f"{batch} is not closed and needs it"
    return ""


def _foreign(services: Services, retired: VersionRetired) -> str:
    """Files of the version that lie where MLflow did not put them."""
    for place in retired.places:
        if not place.is_own and not artifacts.files_left(services.settings, place.uri).is_empty:
            where = without_secrets(place.uri)
            return f"its files lie at {where}, which is not a folder of its own: delete them"
    return ""
