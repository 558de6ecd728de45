"""Purge retired versions when their days are over: no file of them stays anywhere."""

import logging
from collections.abc import Iterator

from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.attempt import AttemptIds
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.versions import (
    PlaceBefore,
    PlaceLookedAt,
    VersionPurged,
    VersionPurgeIntended,
    VersionRetired,
)
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry import artifacts, model_versions
from tasks.registry.artifacts import FilesLeft
from tasks.registry.services import Services
from tasks.versions.retirement import survey
from unlearning.errors import ConflictError
from unlearning.policy.counted import counted

log = logging.getLogger("expunge.purging")


def due(services: Services, model: str) -> list[int]:
    """The versions to purge today."""
    return [a.version for a in survey(services, model) if a.verb == "purge"]


def purge(services: Services, model: str, version: int) -> VersionPurged:
    """Delete a retired version with all its files, once, and list every place afterwards.

    Raises:
        ConflictError: it is not due, is served, or something needs it.
    """
    retired = read_model(services.journal, model).retired.get(version)
    if retired is None:
        raise ConflictError(f"{model} version {version} is not retired; run `expunge retire`.")
    purged = once(
        services.journal,
        model_stream(model),
        key=ids.purged_version(version),
        plan=_plan(services, retired),
        find=lambda planned: _find(services, planned),
        make=lambda planned: _make(services, planned),
    )
    count = sum(one.before for one in purged.looked_at)
    files = counted(count, "file")
    log.info("%s: purged version %d, %s; none is left", model, version, files)
    return purged


def _plan(services: Services, retired: VersionRetired) -> VersionPurgeIntended:
    """With what lies at each place now."""
    ours = [place.uri for place in retired.places if place.is_own]
    return VersionPurgeIntended(
        model=retired.model,
        version=retired.version,
        digest=retired.digest,
        logged_models=retired.logged_models,
        places=tuple(
            PlaceBefore(place=uri, before=_files(artifacts.files_left(services.settings, uri)))
            for uri in ours
        ),
        folders=tuple(
            PlaceBefore(place=folder, before=_count(services, folder))
            for folder in _own_folders(services, retired)
        ),
    )


def _find(services: Services, planned: VersionPurgeIntended) -> VersionPurged | None:
    if not model_versions.is_deleted(
        services.registry, planned.model, planned.version, planned.logged_models
    ):
        return None
    looked_at = tuple(_look_again(services, planned))
    if any(one.after for one in looked_at):
        return None
    return VersionPurged(
        model=planned.model,
        version=planned.version,
        digest=planned.digest,
        logged_models=planned.logged_models,
        looked_at=looked_at,
    )


def _make(services: Services, planned: VersionPurgeIntended) -> None:
    _refuse_unless_due(services, planned.model, planned.version)
    model_versions.delete_version(
        services.registry, planned.model, planned.version, planned.logged_models
    )
    for one in planned.places:
        artifacts.wipe(services.settings, one.place)
    for one in planned.folders:
        _wipe(services, one.place)


def _refuse_unless_due(services: Services, model: str, version: int) -> None:
    for action in survey(services, model):
        if action.version == version and action.verb != "purge":
            raise ConflictError(
                f"{model} version {version} must stay for now: {action.reason}; look at it with "
                "`expunge retire --dry-run`."
            )


def _look_again(services: Services, planned: VersionPurgeIntended) -> Iterator[PlaceLookedAt]:
    for one in planned.places:
        seen = artifacts.files_left(services.settings, one.place)
        yield PlaceLookedAt(
            place=one.place,
            before=one.before,
            after=_files(seen),
            sees_old_versions=seen.old_versions is not None,
        )
    for one in planned.folders:
        after = _count(services, one.place)
        yield PlaceLookedAt(place=one.place, before=one.before, after=after)


def _files(seen: FilesLeft) -> int:
    return seen.objects + (seen.old_versions or 0)


def _own_folders(services: Services, retired: VersionRetired) -> list[str]:
    """Where the store itself may keep weights of the version, or gradients at them."""
    made = AttemptIds(retired.attempt) if retired.attempt else None
    found = [made.candidate, made.checkpoint] if made else []
    current = {e.digest for e in enrolled_models(services.journal) if not e.is_withdrawn}
    # Another model may have been enrolled with the very same weights.
    is_free = retired.digest and retired.digest not in current
    return found + ([f"ledgers/{retired.digest}/"] if is_free else [])


def _count(services: Services, prefix: str) -> int:
    return sum(1 for _ in services.store.list_objects(prefix)) + services.store.count_noncurrent(
        prefix
    )


def _wipe(services: Services, prefix: str) -> None:
    for info in list(services.store.list_objects(prefix)):
        services.store.delete(info.key)
    services.store.purge_noncurrent(prefix)
