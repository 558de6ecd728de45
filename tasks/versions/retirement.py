"""Retire model versions that remember erased people, and purge them when their days are over."""

import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

from tasks.journal import journal
from tasks.journal.effects import Facts, once
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import enrolled_models
from tasks.registry import artifacts, model_versions
from tasks.registry.model_versions import Registered
from tasks.registry.services import Services
from tasks.versions.old_versions import PURGED, RETIRED, Lineage, old_versions, read_lineage
from unlearning.errors import ConflictError
from unlearning.policy.retirement import Action, plan_retirement, purge_day

log = logging.getLogger("expunge.retirement")

_SCRATCH = ("candidates/", "checkpoints/")


def survey(services: Services, model: str) -> list[Action]:
    """What is to be done with each old version of the model today."""
    return plan_retirement(old_versions(services, model, _today()), today=_today())


def retire(services: Services, model: str) -> list[str]:
    """Retire every version that remembers erased people; returns what people must look at.

    Retired is: marked in MLflow, no longer loaded by expunge, without alias, and with a day from
    which it is purged. A version that is served is left alone, and people are called.
    """
    alarms = []
    lineage = read_lineage(services, model)
    for action in survey(services, model):
        if action.verb == "alarm":
            alarms.append(_alarm(model, action))
        elif action.verb != "none":
            _retire(services, lineage, action.version)
    return alarms


def due(services: Services, model: str) -> list[int]:
    """The versions to purge today."""
    return [a.version for a in survey(services, model) if a.verb == "purge"]


def purge(services: Services, model: str, version: int) -> dict[str, Any]:
    """Delete a retired version with all its files, once, and list every place afterwards.

    Raises:
        ConflictError: it is not due, is served, or something needs it.
    """
    retired = services.journal.find(model_stream(model), f"retired/{version}")
    if retired is None:
        raise ConflictError(f"{model} version {version} is not retired; run `expunge retire`.")
    ours = [place["uri"] for place in retired.facts["places"] if place["is_own"]]
    folders = _own_folders(services, retired.facts)
    plan: Facts = {k: retired.facts[k] for k in ("model", "version", "digest", "logged_models")}
    plan["places"] = [
        {"place": uri, "before": _files(artifacts.look(services.settings, uri))} for uri in ours
    ]
    plan["folders"] = [{"place": f, "before": _count(services, f)} for f in folders]

    def find(planned: Facts) -> Facts | None:
        if not model_versions.is_deleted(
            services.registry, model, version, planned["logged_models"]
        ):
            return None
        looked_at = list(_look_again(services, planned))
        if any(one["after"] for one in looked_at):
            return None
        names = ("model", "version", "digest", "logged_models")
        return {**{n: planned[n] for n in names}, "looked_at": looked_at}

    def make(planned: Facts) -> None:
        _refuse_unless_due(services, model, version)
        model_versions.delete_version(services.registry, model, version, planned["logged_models"])
        for one in planned["places"]:
            artifacts.wipe(services.settings, one["place"])
        for one in planned["folders"]:
            _wipe(services, one["place"])

    key = f"purged/{version}"
    facts = once(
        services.journal, model_stream(model), key=key, event=PURGED, plan=plan, find=find, make=make
    )  # fmt: skip
    count = sum(one["before"] for one in facts["looked_at"])
    log.info("%s: purged version %d, %d files; none is left", model, version, count)
    return facts


def drop_leftovers(services: Services) -> int:
    """Delete weights that no open batch will ask for again; returns how many objects.

    A batch drops its own when it closes, but not if another one took over its requests.
    """
    # Listed first: whatever is made after that belongs to a plan that is read below.
    found = [info.key for folder in _SCRATCH for info in services.store.list_objects(folder)]
    wanted = {
        event.facts["key"]
        for batch, head in (services.journal.heads("batches") if found else ())
        if head.status != "closed"
        for event in services.journal.read(f"batches/{batch}")
        if event.name == "UnlearningPlanned"
    }
    dropped = [k for k in found if k.partition("/")[2].partition(".")[0] not in wanted]
    for key in dropped:
        services.store.delete(key)
    if dropped:
        log.info("%d candidates and checkpoints of closed batches deleted", len(dropped))
    return len(dropped)


def _retire(services: Services, lineage: Lineage, version: int) -> None:
    model = lineage.enrollment.model

    def now() -> Registered | None:
        return model_versions.registered_versions(services.registry, model).get(version)

    def find(planned: Facts) -> Facts | None:
        found = now()
        if found is not None and not model_versions.is_quarantined(found):
            return None
        return {k: v for k, v in planned.items() if k != "effect"}

    def make(planned: Facts) -> None:
        found = now()
        if found is not None:
            _refuse_served(services, model, found)
            model_versions.quarantine(services.registry, model, found, planned["retired_on"])

    key = f"retired/{version}"
    is_new = lineage.facts(RETIRED, version) is None
    plan = _retirement_plan(services, lineage, version) if is_new else {}
    facts = once(
        services.journal,
        model_stream(model),
        key=key,
        event=RETIRED,
        plan=plan,
        find=find,
        make=make,
    )
    if is_new:
        _tell(facts)
    elif find(facts) is None:
        log.error("ALARM: %s version %d is retired and was in use again.", model, version)
        make(facts)


def _retirement_plan(services: Services, lineage: Lineage, version: int) -> Facts:
    remembered, found = lineage.remembered[version], lineage.registered.get(version)
    model, today = lineage.enrollment.model, _today()
    places: dict[str, bool] = {}
    if found is not None:
        own = model_versions.own_place(services.registry, model, found)
        places[own.uri] = own.is_own
    logged = model_versions.logged_models(services.registry, found, remembered.effect)
    places |= {uri.rstrip("/"): True for uri in logged.values()}
    return {
        "model": model,
        "version": version,
        "digest": remembered.digest,
        "batch": remembered.batch,
        "why": remembered.why,
        "attempt": remembered.effect.partition("/")[0],
        "source": found.source if found else "",
        "aliases": model_versions.side_aliases(services.registry, found) if found else [],
        "logged_models": sorted(logged),
        "places": [{"uri": uri, "is_own": places[uri]} for uri in sorted(places)],
        "retired_on": today.isoformat(),
        "purge_on": purge_day(today, services.settings.retirement_days).isoformat(),
    }


def _tell(facts: Facts) -> None:
    model, version = facts["model"], facts["version"]
    log.info("%s: version %d is retired, to be purged on %s", model, version, facts["purge_on"])
    if facts["aliases"]:
        names = ", ".join(facts["aliases"])
        log.warning("%s: version %d lost the aliases %s", model, version, names)
    if not facts["places"]:
        log.error(
            "ALARM: %s version %d was deleted in MLflow before it was retired, so that nobody "
            "knows where its files are; find and delete them.",
            model,
            version,
        )


def _alarm(model: str, action: Action) -> str:
    text = (
        f"{model} version {action.version} must not go on: {action.reason}; move the alias to a "
        "version that forgot them, then run `expunge retire`."
    )
    log.error("ALARM: %s", text)
    return text


def _refuse_served(services: Services, model: str, found: Registered) -> None:
    if services.settings.alias in found.aliases:
        raise ConflictError(
            f"The serving alias was moved to {model} version {found.version} meanwhile, which "
            "remembers erased people; move it to another version, then run again."
        )


def _refuse_unless_due(services: Services, model: str, version: int) -> None:
    for action in survey(services, model):
        if action.version == version and action.verb != "purge":
            raise ConflictError(
                f"{model} version {version} must stay for now: {action.reason}; look at it with "
                "`expunge retire --dry-run`."
            )


def _look_again(services: Services, planned: Facts) -> Iterator[dict[str, Any]]:
    for one in planned["places"]:
        seen = artifacts.look(services.settings, one["place"])
        looked = {**one, "after": _files(seen)}
        # Behind a tracking server nobody can see what a versioned bucket still keeps.
        yield looked if seen.old_versions is not None else {**looked, "old_versions": "not seen"}
    for one in planned["folders"]:
        yield {**one, "after": _count(services, one["place"])}


def _files(seen: artifacts.Look) -> int:
    return seen.objects + (seen.old_versions or 0)


def _own_folders(services: Services, retired: Facts) -> list[str]:
    """Where the store itself may keep weights of the version, or gradients at them."""
    attempt, digest = retired["attempt"], retired["digest"]
    found = [f"{folder}{attempt}.safetensors" for folder in _SCRATCH if attempt.startswith("a-")]
    current = {e.digest for e in enrolled_models(services.journal) if not e.is_withdrawn}
    # Another model may have been enrolled with the very same weights.
    return found + ([f"ledgers/{digest}/"] if digest and digest not in current else [])


def _count(services: Services, prefix: str) -> int:
    return sum(1 for _ in services.store.list_objects(prefix)) + services.store.count_noncurrent(
        prefix
    )


def _wipe(services: Services, prefix: str) -> None:
    for info in list(services.store.list_objects(prefix)):
        services.store.delete(info.key)
    services.store.purge_noncurrent(prefix)


def _today() -> date:
    return journal.now().date()
