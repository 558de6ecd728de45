"""The serving alias on a version that is enrolled, where its enrolment asks for that."""

import logging

from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import AliasChangeIntended, AliasGiven
from tasks.journal.reading import read_model
from tasks.registry.services import Services

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
