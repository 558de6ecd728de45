"""Old model versions in MLflow: which there are, where their files lie, out of reach, gone."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tasks.foreign_errors import translated
from tasks.journal.events.versions import FilePlace
from tasks.registry.mlflow_registry import (
    AUDIT_EXPERIMENT,
    EFFECT_TAG,
    RETIRED_TAG,
    Registry,
    quoted,
)
from unlearning.errors import MissingDataError

_PAGE = 1000
_APPROVED = "expunge.gate"
LOGGED = re.compile("m-[0-9a-f]{32}")
"""The form of the ids that MLflow gives logged models; their folders are named so."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A version as the registry has it."""

    version: int
    source: str
    run_id: str
    tags: dict[str, str]
    aliases: tuple[str, ...]

    @property
    def effect(self) -> str:
        """Key of the effect that made it; empty if somebody else did."""
        return self.tags.get(EFFECT_TAG, "")


def registered_versions(registry: Registry, model: str) -> dict[int, Registered]:
    """Every version of the model by its number; none if MLflow has no model of that name."""
    try:
        with translated("MLflow"):
            aliases = registry.client.get_registered_model(model).aliases
    except MissingDataError:
        return {}
    return {
        int(v.version): Registered(
            version=int(v.version),
            source=(v.source or "").rstrip("/"),
            run_id=v.run_id or "",
            tags=dict(v.tags),
            aliases=tuple(sorted(a for a, n in aliases.items() if int(n) == int(v.version))),
        )
        for v in search(registry, f"name = {quoted(model)}")
    }


def side_aliases(registry: Registry, version: Registered) -> list[str]:
    """Aliases of a version other than the one that serving follows."""
    return [a for a in version.aliases if a != registry.settings.alias]


def is_quarantined(version: Registered) -> bool:
    """Whether nobody can load or serve the version by mistake."""
    marked = RETIRED_TAG in version.tags and _APPROVED not in version.tags
    return marked and not version.aliases


def quarantine(registry: Registry, model: str, version: Registered, retired_on: str) -> None:
    """Mark a version, take its side aliases away, and the tag that says it passed the gate."""
    client, number = registry.client, str(version.version)
    registry.tag_version(model, version.version, {RETIRED_TAG: retired_on})
    with translated("MLflow"):
        for alias in side_aliases(registry, version):
            client.delete_registered_model_alias(model, alias)
        if _APPROVED in version.tags:
            client.delete_model_version_tag(model, number, _APPROVED)


def logged_models(registry: Registry, version: Registered | None, attempt: str) -> dict[str, str]:
    """Ids and places of the logged models behind a version; `attempt` is the key of what made it.

    A run of ours makes one version only, so what a killed run logged besides is among them.
    """
    run_id = version.run_id if version else ""
    if not run_id and attempt:
        run_id = registry.find_run(AUDIT_EXPERIMENT, attempt) or ""
    run = _run(registry, run_id)
    with translated("MLflow"):
        is_ours = run is not None and EFFECT_TAG in run.data.tags
        found = _of_run(registry, run) if run is not None and is_ours else {}
        name = version.source.removeprefix("models:/") if version else ""
        location = _location(registry, name)
        return found | ({name: location} if location else {})


def own_place(registry: Registry, model: str, version: Registered) -> FilePlace:
    """Where the version's files lie, and whether that folder is its own."""
    client = registry.client
    with translated("MLflow"):
        uri = client.get_model_version_download_uri(model, str(version.version)).rstrip("/")
        # A name proves nothing: only MLflow knows which folder it made for a logged model.
        if any(_location(registry, part) == uri for part in urlsplit(uri).path.split("/")):
            return FilePlace(uri=uri, is_own=True)
    run = _run(registry, version.run_id)
    root = run.info.artifact_uri.rstrip("/") if run else ""
    return FilePlace(uri=uri, is_own=bool(root) and uri.startswith(f"{root}/"))


def delete_version(registry: Registry, model: str, number: int, logged: Sequence[str]) -> None:
    """Delete a version and its logged models in MLflow; their files stay where they are."""
    with translated("MLflow"):
        if _is_registered(registry, model, number):
            registry.client.delete_model_version(model, str(number))
        for model_id in logged:
            if _is_logged(registry, model_id):
                registry.client.delete_logged_model(model_id)


def is_deleted(registry: Registry, model: str, number: int, logged: Sequence[str]) -> bool:
    """Whether MLflow gives neither the version nor its logged models any more."""
    with translated("MLflow"):
        return not _is_registered(registry, model, number) and not any(
            _is_logged(registry, i) for i in logged
        )


def _is_registered(registry: Registry, model: str, number: int) -> bool:
    return _exists(lambda: registry.client.get_model_version(model, str(number)))


def _is_logged(registry: Registry, model_id: str) -> bool:
    return _exists(lambda: registry.client.get_logged_model(model_id))


def _run(registry: Registry, run_id: str) -> Any | None:
    """The run; None if there is none, or none any more, as after `mlflow gc`."""
    try:
        with translated("MLflow"):
            return registry.client.get_run(run_id) if run_id else None
    except MissingDataError:
        return None


def _location(registry: Registry, model_id: str) -> str:
    """Where MLflow put the files of a logged model; empty if it has none of that id."""
    if not LOGGED.fullmatch(model_id) or not _is_logged(registry, model_id):
        return ""
    return registry.client.get_logged_model(model_id).artifact_location.rstrip("/")


def _exists(get: Callable[[], object]) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        get()
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _of_run(registry: Registry, run: Any) -> dict[str, str]:
    found = registry.client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    return {m.model_id: m.artifact_location for m in found}


def search(registry: Registry, where: str) -> Iterator[Any]:
    """Versions of any registered model for which MLflow finds this true, a page at a time."""
    token = None
    while True:
        with translated("MLflow"):
            page = registry.client.search_model_versions(where, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
