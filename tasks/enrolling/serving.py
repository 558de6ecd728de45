"""Which version is enrolled and serves: found, or given the serving alias by its enrolment."""

import logging

from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import AliasChangeIntended, AliasGiven
from tasks.journal.reading import read_model
from tasks.registry.all_versions import without_secrets
from tasks.registry.model_versions import registered_versions
from tasks.registry.services import Services
from unlearning.errors import DataError

log = logging.getLogger("expunge.enroll")


def give_alias(services: Services, model: str, version: int) -> None:
    """Put the alias on the version, recorded; nothing if it is there.

    Raises:
        ConflictError: a run is at work, which may be moving it.
    """
    before = services.registry.alias_version(model)
    if before == version:
        return
    number = read_model(services.journal, model).alias_changes + 1

    def find(plan: AliasChangeIntended) -> AliasGiven | None:
        is_there = services.registry.alias_version(model) == version
        return AliasGiven(version=version, before=plan.found) if is_there else None

    once(
        services.journal,
        model_stream(model),
        key=ids.alias_change(number, before, version),
        plan=AliasChangeIntended(found=before, floor=version),
        find=find,
        make=lambda _: services.registry.set_alias(model, version),
    )
    was = "no version" if before is None else f"version {before}"
    log.info(
        "%s: the alias %r is on version %d; before, %s held it",
        model,
        services.settings.alias,
        version,
        was,
    )


def version_to_enroll(
    services: Services, model: str, version: int | None, *, newest: bool = False
) -> int:
    """The version that was named, else the one in service, else, if that counts, the newest.

    Raises:
        DataError: there is no such model or version, or nobody says which of them answers.
    """
    if not services.registry.is_registered(model):
        raise DataError(
            f"MLflow has no registered model {model!r}; check the name, and that "
            f"{without_secrets(services.settings.tracking_uri)} is its registry, or register it by "
            "the log_model of its own library first.",
            line=f"mlflow.FLAVOUR.log_model(MODEL, name='model', registered_model_name={model!r})",
        )
    if version is not None:
        _refuse_unknown(services, model, version)
    number = services.registry.alias_version(model) if version is None else version
    if number is None and newest:
        number = newest_version(services, model)
    if number is not None:
        return number
    raise DataError(
        f"No version of {model} holds the alias {services.settings.alias!r}; set it in MLflow on "
        "the version in service, or let enrolment do so with --promote.",
        line="--promote",
    )


def _refuse_unknown(services: Services, model: str, version: int) -> None:
    known = registered_versions(services.registry, model)
    if known and version not in known:
        raise DataError(
            f"{model} has no version {version}; the newest of its {len(known)} in MLflow is "
            f"{max(known)}.",
            line=f"--version {max(known)}",
        )


def newest_version(services: Services, model: str) -> int | None:
    """The newest version of a registered model; None if it has none."""
    return max(registered_versions(services.registry, model), default=None)


def unserved(services: Services, model: str) -> str:
    """What follows while no version holds the serving alias, in one sentence."""
    return (
        f"No version of {model} holds the alias {services.settings.alias!r}; until one does, "
        "requests with rows in its tables wait, so add --promote or set it in MLflow."
    )
