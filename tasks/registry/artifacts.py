"""The files of model versions, wherever MLflow keeps them: look, remove, look again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.environment.settings import Settings, artifact_settings
from tasks.foreign_errors import translated
from tasks.store.objects import ObjectStore
from tasks.store.opening import open_store
from unlearning.errors import DataError


@dataclass(frozen=True, slots=True)
class FilesLeft:
    """How much lies at a place."""

    objects: int
    """Files or objects."""
    old_versions: int | None
    """Old object versions and delete markers; None behind a tracking server, which hides them."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was seen."""
        return not self.objects and not self.old_versions


def files_left(settings: Settings, place: str) -> FilesLeft:
    """Count what lies below a place."""
    store = _store(settings, place)
    if store is None:
        with translated("MLflow"):
            return FilesLeft(sum(1 for _ in _files(repository(settings, place))), None)
    return FilesLeft(sum(1 for _ in store.list_objects("")), store.count_noncurrent(""))


def wipe(settings: Settings, place: str) -> None:
    """Remove everything below a place, in a versioned bucket every version of it as well.

    Raises:
        DataError: a link lies there, and what it points to would stay.
    """
    _refuse_links(settings, place)
    with translated("MLflow"):
        repository(settings, place).delete_artifacts()
    store = _store(settings, place)
    if store is None:
        return
    for info in list(store.list_objects("")):
        store.delete(info.key)
    store.purge_noncurrent("")


def drop_old_versions(settings: Settings, place: str, name: str) -> None:
    """Remove older object versions of a file; behind a tracking server nobody can."""
    store = _store(settings, place)
    if store is not None:
        store.purge_noncurrent(name)


def _refuse_links(settings: Settings, place: str) -> None:
    store = _store(settings, place)
    links = 0 if store is None else sum(info.is_link for info in store.list_objects(""))
    if links:
        raise DataError(
            f"{links} files of a model version in {place} are links, and what they point to would "
            "stay; put the files themselves there."
        )


def _store(settings: Settings, place: str) -> ObjectStore | None:
    """The place as an object store; None if only MLflow can reach it."""
    scheme = urlsplit(place).scheme
    if not scheme:
        return open_store(Path(place).resolve().as_uri(), settings)
    if scheme not in ("file", "s3"):
        return None
    return open_store(place, artifact_settings(settings))


def repository(settings: Settings, place: str) -> Any:
    """MLflow's own access to a place."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(place, tracking_uri=settings.tracking_uri)


def _files(repository: Any, folder: str | None = None) -> Iterator[str]:
    for info in repository.list_artifacts(folder):
        if info.is_dir:
            yield from _files(repository, info.path)
        else:
            yield info.path
