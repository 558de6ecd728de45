"""What MLflow tells of batches and versions in words, written anew: tags, notes and text files."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.foreign_errors import translated
from tasks.registry.artifacts import drop_old_versions
from tasks.registry.mlflow_registry import AUDIT_EXPERIMENT, TRAINING_EXPERIMENT, Registry

_TEXT = (".json", ".html")
_PAGE = 1000
Rewrite = Callable[[str], str]


def rewrite_texts(registry: Registry, rewrite: Rewrite) -> None:
    """Write every tag, note and text file of our runs, and every tag of a version, through this.

    Older object versions of the files are removed; behind a tracking server nobody can. What MLflow
    never changes, such as parameters and the digests of data sets, stays. Cost: one look at every
    run and version, and one read of every text file.
    """
    for name in (AUDIT_EXPERIMENT, TRAINING_EXPERIMENT):
        for run in _runs(registry, registry.experiment_id(name)):
            _rewrite_run(registry, run, rewrite)
    for version in _versions(registry):
        tags = _changed(version.tags, rewrite)
        registry.tag_version(version.name, int(version.version), tags)


def _rewrite_run(registry: Registry, run: Any, rewrite: Rewrite) -> None:
    run_id, client = run.info.run_id, registry.client
    with translated("MLflow"):
        if run.info.lifecycle_stage == "active":  # the tags of another one cannot be set
            for name, value in _changed(run.data.tags, rewrite).items():
                client.set_tag(run_id, name, value)
        for path, text in _read(client, run_id):
            if (now := rewrite(text)) != text:
                client.log_text(run_id, now, path)
            drop_old_versions(registry.settings, run.info.artifact_uri, path)


def _read(client: Any, run_id: str) -> list[tuple[str, str]]:
    """Path and text of every text file of a run."""
    found = [one.path for one in client.list_artifacts(run_id) if one.path.endswith(_TEXT)]
    with tempfile.TemporaryDirectory() as folder:
        return [(p, Path(client.download_artifacts(run_id, p, folder)).read_text()) for p in found]


def _changed(tags: dict[str, str], rewrite: Rewrite) -> dict[str, str]:
    return {name: now for name, value in tags.items() if (now := rewrite(value)) != value}


def _runs(registry: Registry, experiment: str) -> Iterator[Any]:
    """Every run, be it deleted: its files stay until somebody removes it for good."""
    from mlflow.entities import ViewType

    with translated("MLflow"):
        token = None
        while True:
            page = registry.client.search_runs(
                [experiment], run_view_type=ViewType.ALL, max_results=_PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _versions(registry: Registry) -> Iterator[Any]:
    with translated("MLflow"):
        token = None
        while True:
            page = registry.client.search_model_versions(max_results=_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return
