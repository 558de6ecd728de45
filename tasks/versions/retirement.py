"""Retire model versions that remember erased people: out of use, and to be purged later."""

import logging
from dataclasses import fields
from datetime import date

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import FilePlace, RetirementIntended, VersionRetired
from tasks.registry import model_versions
from tasks.registry.model_versions import Registered
from tasks.registry.services import Services
from tasks.versions import copies
from tasks.versions.old_versions import VersionHistory, old_versions, read_version_history
from tasks.versions.same_files import examine
from unlearning.errors import ConflictError
from unlearning.policy.retirement import Action, plan_retirement, purge_day

log = logging.getLogger("expunge.retirement")


def survey(services: Services, model: str) -> list[Action]:
    """What is to be done with each old version of the model today."""
    today = _today()
    return plan_retirement(old_versions(services, model, today), today=today)


def retire(services: Services, model: str) -> list[str]:
    """Retire every version that remembers erased people; returns what people must look at.

    Retired is: marked in MLflow, no longer loaded by expunge, without alias, and with a day from
    which it is purged. A version that is served is left alone, and people are called.
    """
    versions = read_version_history(services, model)
    actions = survey(services, model)
    for action in actions:
        if action.verb not in ("alarm", "none"):
            _retire(services, versions, action.version)
    # What is due is purged next.
    found = [text for a in actions if a.verb != "purge" and (text := _alarm(model, a))]
    examine(services, model)
    found += copies.alarms(services, model)
    for text in found:
        log.error("ALARM: %s", text)
    return found


def alarms(services: Services, model: str) -> list[str]:
    """What people must look at now: versions that are served, or overdue, and copies in use."""
    found = survey(services, model)
    overdue = [a for a in found if a.verb != "purge" or _is_late(a)]
    return [text for a in overdue if (text := _alarm(model, a))] + copies.alarms(services, model)


def has_work(services: Services, model: str) -> bool:
    """Whether a version is to be retired or purged now, or people are to be called."""
    to_do = any(a.verb in ("retire", "purge") for a in survey(services, model))
    return to_do or bool(alarms(services, model))


def _retire(services: Services, versions: VersionHistory, version: int) -> None:
    known = versions.model.retired.get(version)
    if known is None:
        _retire_first(services, versions, version)
    elif _is_in_use(services, known):
        log.error("ALARM: %s version %d is retired and was in use again.", known.model, version)
        _quarantine(services, known)


def _retire_first(services: Services, versions: VersionHistory, version: int) -> None:
    def find(planned: RetirementIntended) -> VersionRetired | None:
        if _is_in_use(services, planned):
            return None
        return VersionRetired(**{f.name: getattr(planned, f.name) for f in fields(planned)})

    retired = once(
        services.journal,
        model_stream(versions.enrollment.model),
        key=ids.retired(version),
        plan=_retirement(services, versions, version),
        find=find,
        make=lambda planned: _quarantine(services, planned),
    )
    _tell(retired)


def _is_in_use(services: Services, one: RetirementIntended | VersionRetired) -> bool:
    """Whether somebody could load or serve the version; nobody can once MLflow has it no more."""
    found = _registered(services, one)
    return found is not None and not model_versions.is_quarantined(found)


def _quarantine(services: Services, one: RetirementIntended | VersionRetired) -> None:
    found = _registered(services, one)
    if found is not None:
        _refuse_served(services, one.model, found)
        on = one.retired_on.isoformat()
        model_versions.quarantine(services.registry, one.model, found, on)


def _registered(services: Services, one: RetirementIntended | VersionRetired) -> Registered | None:
    return model_versions.registered_versions(services.registry, one.model).get(one.version)


def _retirement(services: Services, versions: VersionHistory, version: int) -> RetirementIntended:
    """What is known of the version now, while its files can still be found."""
    remembered, found = versions.remembered[version], versions.registered.get(version)
    model, today = versions.enrollment.model, _today()
    places: dict[str, bool] = {}
    if found is not None:
        own = model_versions.own_place(services.registry, model, found)
        places[own.uri] = own.is_own
    logged = model_versions.logged_models(services.registry, found, remembered.attempt)
    places |= {uri.rstrip("/"): True for uri in logged.values()}
    aliases = model_versions.side_aliases(services.registry, found) if found else []
    return RetirementIntended(
        model=model,
        version=version,
        digest=remembered.digest,
        batch=remembered.batch,
        why=remembered.why,
        attempt=remembered.attempt,
        source=found.source if found else "",
        aliases=tuple(aliases),
        logged_models=tuple(sorted(logged)),
        places=tuple(FilePlace(uri=uri, is_own=places[uri]) for uri in sorted(places)),
        retired_on=today,
        purge_on=purge_day(
            today,
            services.settings.retirement_days,
            batches.days_left(services, remembered.batch),
        ),
    )


def _tell(retired: VersionRetired) -> None:
    model, version = retired.model, retired.version
    log.info("%s: version %d is retired, to be purged on %s", model, version, retired.purge_on)
    if retired.aliases:
        names = ", ".join(retired.aliases)
        log.warning("%s: version %d lost the aliases %s", model, version, names)
    if not retired.places:
        log.error(
            "ALARM: %s version %d was deleted in MLflow before it was retired, so that nobody "
            "knows where its files are; find and delete them.",
            model,
            version,
        )


def _alarm(model: str, action: Action) -> str:
    """What is wrong with an old version; empty if nothing is."""
    name = f"{model} version {action.version}"
    if action.verb == "alarm":
        return (
            f"{name} must not go on: {action.reason}; move the alias to a version that forgot "
            "them, then run `expunge retire`."
        )
    day = action.purge_on.isoformat() if action.purge_on else ""
    if action.verb == "keep":
        return f"{name} remembers erased people and was to be purged on {day}: {action.reason}."
    if action.verb == "purge":
        return (
            f"{name} remembers erased people and was to be purged on {day}; run `expunge retire`."
        )
    return ""


def _is_late(action: Action) -> bool:
    """Whether the daily run should have purged it already."""
    return action.purge_on is not None and action.purge_on < _today()


def _refuse_served(services: Services, model: str, found: Registered) -> None:
    if services.settings.alias in found.aliases:
        raise ConflictError(
            f"The serving alias was moved to {model} version {found.version} meanwhile, which "
            "remembers erased people; move it to another version, then run again."
        )


def _today() -> date:
    return journal.now().date()
