"""The files of model versions, wherever MLflow keeps them: look, remove, look again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tasks.environment.settings import Settings, artifact_settings
from tasks.foreign_errors import translated
from tasks.registry.downloads import downloaded
from tasks.registry.mlflow_registry import Registry
from tasks.registry.recorded_files import file_digest
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


def sizes(registry: Registry, model: str, version: int) -> dict[str, int]:
    """Bytes of each file of a version, by its path.

    Raises:
        MissingDataError: MLflow has no such version.
    """
    place = _place(registry, model, version)
    with translated("MLflow"):
        return dict(_sizes(repository(registry.settings, place)))


def digest(registry: Registry, model: str, version: int, path: str) -> str:
    """SHA-256 of one file of a version, which is downloaded for it.

    Raises:
        MissingDataError: MLflow has no such version, or file.
    """
    place = _place(registry, model, version)
    with downloaded(registry.settings, f"{place}/{path}") as file:
        return file_digest(file)


def _place(registry: Registry, model: str, version: int) -> str:
    with translated("MLflow"):
        return registry.client.get_model_version_download_uri(model, str(version)).rstrip("/")


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


def _files(repository: Any) -> Iterator[str]:
    return (path for path, _ in _sizes(repository))


def _sizes(repository: Any, folder: str | None = None) -> Iterator[tuple[str, int]]:
    for info in repository.list_artifacts(folder):
        if info.is_dir:
            yield from _sizes(repository, info.path)
        else:
            yield info.path, info.file_size or 0
