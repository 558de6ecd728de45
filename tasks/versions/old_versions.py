"""Versions of a model that still remember erased people, as journal and registry show them."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.registry import artifacts, model_versions
from tasks.registry.model_versions import Registered
from tasks.registry.services import Services
from unlearning.policy.retirement import OldVersion, RowsLeft, WeightsCame, remembering

RETIRED, PURGED = "VersionRetired", "VersionPurged"
_ENDS = ("ChampionPromoted", "ModelWithdrawn")


@dataclass(frozen=True, slots=True)
class Remembered:
    """One old version: what it is, and why it must go."""

    version: int
    digest: str
    effect: str
    """Key of the effect that made it; empty if somebody else did."""
    batch: str
    why: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """A model's old versions, and where each of them stands."""

    alias: str
    """The alias that serving follows."""
    enrollment: Enrollment
    events: list[journal.Event]
    registered: dict[int, Registered]
    remembered: dict[int, Remembered]

    def facts(self, event: str, version: int) -> dict[str, Any] | None:
        """What was recorded of a version when it was retired or purged."""
        found = (e.facts for e in self.events if e.name == event)
        return next((f for f in found if f["version"] == version), None)

    def is_served(self, version: int) -> bool:
        """Whether the serving alias, or the enrolment, stands on the version."""
        now = self.registered.get(version)
        current = version == self.enrollment.version and not self.enrollment.is_withdrawn
        return current or (now is not None and self.alias in now.aliases)


def read_lineage(services: Services, model: str) -> Lineage:
    """Every version of our lineage that remembers erased people, or that no batch needs any more.

    Versions that were never enrolled nor made here are not of it, whatever they remember: nobody
    can tell without their training rows.
    """
    events = services.journal.read(model_stream(model))
    registered = model_versions.registered_versions(services.registry, model)
    known = _known(events, registered)
    remembered = {
        version: Remembered(version, *known[version], batch, f"it remembers the rows of {batch}")
        for version, batch in remembering(history(events)).items()
    }
    remembered |= _retired(events)
    mine = {effect for _, effect in known.values()} - {""}
    for version, found in registered.items():
        if version in known or version in remembered:
            continue
        if original := _original(model, found, registered, remembered):
            remembered[version] = replace(original, version=version)
        elif found.effect not in mine and _is_abandoned(services, found):
            batch = found.tags["expunge.batch"]
            why = f"{batch} registered it and never promoted it"
            digest = found.tags.get("expunge.digest", "")
            remembered[version] = Remembered(version, digest, found.effect, batch, why)
    return Lineage(
        services.settings.alias,
        read_enrollment(services.journal, model),
        events,
        registered,
        remembered,
    )


def old_versions(services: Services, model: str, today: date) -> list[OldVersion]:
    """The lineage's old versions with all that decides about them."""
    lineage = read_lineage(services, model)
    return [_old(services, lineage, version, today) for version in sorted(lineage.remembered)]


def earlier(services: Services, model: str, batch: str, *, as_of: int) -> list[dict[str, Any]]:
    """Versions that remember the batch's rows: until when they exist, and where the proof will be.

    Which ones is as of the batch's own promotion or withdrawal, and until when as of the model's
    event of this number, so that a certificate says the same for ever.
    """
    events = services.journal.read(model_stream(model))
    moments = [n for n, e in enumerate(events) if e.name in _ENDS and e.facts.get("batch") == batch]
    before = events[: max(moments, default=-1) + 1]
    gone = {e.facts["version"] for e in before if e.name == PURGED}
    retired = [e.facts for e in events if e.name == RETIRED and e.number <= as_of]
    until = {facts["version"]: facts["purge_on"] for facts in retired}
    return [
        {
            "version": version,
            "exists_until": until.get(version, "retired"),
            "proof": f"event purged/{version} in journal/{model_stream(model)}/",
        }
        for version in sorted(set(remembering(history(before))) - gone)
    ]


def retirement_counts(services: Services, model: str) -> dict[str, int]:
    """How many old versions wait for their purge, and how many are gone."""
    names = [e.name for e in services.journal.read(model_stream(model))]
    purged = names.count(PURGED)
    return {"retired": names.count(RETIRED) - purged, "purged": purged}


def history(events: list[journal.Event]) -> list[WeightsCame | RowsLeft]:
    """A model's stream as weights that came and rows that left."""
    found: list[WeightsCame | RowsLeft] = []
    for event in events:
        if event.name in _ENDS:
            found.append(RowsLeft(event.facts.get("batch", "an earlier batch")))
        if event.name in ("ModelEnrolled", "ChampionPromoted"):
            found.append(WeightsCame(event.facts["version"], event.facts["digest"]))
    return found


def _known(
    events: list[journal.Event], registered: dict[int, Registered]
) -> dict[int, tuple[str, str]]:
    """Digest and effect of every version that was ever enrolled or promoted."""
    found: dict[int, tuple[str, str]] = {}
    for event in events:
        if event.name in ("ModelEnrolled", "ChampionPromoted"):
            version, attempt = event.facts["version"], event.facts.get("attempt", "")
            now = registered.get(version)
            effect = now.effect if now else attempt and f"{attempt}/registered"
            found[version] = (event.facts["digest"], effect)
    return found


def _retired(events: list[journal.Event]) -> dict[int, Remembered]:
    """Versions to be purged, be they deleted in MLflow: a purge that was cut off is finished."""
    purged = {e.facts["version"] for e in events if e.name == PURGED}
    found = [e.facts for e in events if e.name == RETIRED and e.facts["version"] not in purged]
    return {
        f["version"]: Remembered(
            f["version"],
            f["digest"],
            f["attempt"] and f"{f['attempt']}/registered",
            f["batch"],
            f["why"],
        )
        for f in found
    }


def _original(
    model: str,
    found: Registered,
    registered: dict[int, Registered],
    remembered: dict[int, Remembered],
) -> Remembered | None:
    """The old version that this one registers once more: a call sent twice, a copy, by hand."""
    for one in remembered.values():
        sources = {f"models:/{model}/{one.version}"}
        if one.version in registered:
            sources.add(registered[one.version].source)
        if (found.effect and found.effect == one.effect) or found.source in sources - {""}:
            return one
    return None


def _is_abandoned(services: Services, found: Registered) -> bool:
    batch = found.tags.get("expunge.batch", "")
    if not batch or not found.effect.endswith("/registered"):
        return False
    events = services.journal.read(batches.stream(batch))
    return bool(events) and events[-1].status == "closed"


def _old(services: Services, lineage: Lineage, version: int, today: date) -> OldVersion:
    retired = lineage.facts(RETIRED, version)
    found = OldVersion(
        version,
        lineage.remembered[version].why,
        is_champion=lineage.is_served(version),
        purge_on=date.fromisoformat(retired["purge_on"]) if retired else None,
        is_purged=lineage.facts(PURGED, version) is not None,
    )
    if retired is None or found.is_purged or found.purge_on is None or today < found.purge_on:
        return found
    model = lineage.enrollment.model
    shared = _sharers(services, model, version, retired)
    others = [one for one in shared if one not in {(model, n) for n in lineage.remembered}]
    needed = (
        _held(services, lineage, version)
        or _in_work(services, model, version)
        or _foreign(services, retired)
        or (f"{others[0][0]} version {others[0][1]} lies in the same files" if others else "")
    )
    mine = tuple(one[1] for one in shared if one not in others)
    return replace(found, needed=needed, shares_with=mine)


def _held(services: Services, lineage: Lineage, version: int) -> str:
    """A batch that unlearned from this version somebody whom a legal hold names by now."""
    held = batches.pseudonyms_on_hold(services)
    for batch in _child_batches(lineage.events, version) if held else ():
        if any(d.subject in held for d in batches.dispositions(services, batch)):
            return f"a legal hold names a subject of {batch}, whose rows it was to forget"
    return ""


def _child_batches(events: list[journal.Event], version: int) -> list[str]:
    """Batches that had the version for a parent."""
    current, found = 0, []
    for event in events:
        if event.name in _ENDS and event.facts.get("parent_version", current) == version:
            found.append(event.facts["batch"])
        if event.name in ("ModelEnrolled", "ChampionPromoted"):
            current = event.facts["version"]
    return found


def _in_work(services: Services, model: str, version: int) -> str:
    """An open batch that goes on from this version, or has it for its candidate."""
    for batch, head in services.journal.heads("batches"):
        if head.status == "closed":
            continue
        events = services.journal.read(batches.stream(batch))
        plans = [
            e.facts for e in events if e.name == "UnlearningPlanned" and e.facts["model"] == model
        ]
        made = {e.facts["version"] for e in events if e.name == "VersionRegistered"
                and e.facts["model"] == model}  # fmt: skip
        # Earlier plans were overtaken: the batch will never ask for their parents again.
        if version in made or (plans and plans[-1]["parent_version"] == version):
            return f"{batch} is not closed and needs it"
    return ""


def _foreign(services: Services, retired: dict[str, Any]) -> str:
    """Files of the version that lie where MLflow did not put them."""
    for place in retired["places"]:
        if not place["is_own"] and not artifacts.look(services.settings, place["uri"]).is_empty:
            return f"its files lie at {place['uri']}, which is not a folder of its own: delete them"
    return ""


def _sharers(
    services: Services, model: str, version: int, retired: dict[str, Any]
) -> list[tuple[str, int]]:
    found = {
        one
        for place in retired["places"]
        for one in model_versions.sharers(
            services.registry, model, version, retired["source"], place["uri"]
        )
    }
    return sorted(found)
