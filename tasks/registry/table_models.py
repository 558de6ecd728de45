"""Versions in MLflow that name a table as what they learned from, whoever made them."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from tasks.foreign_errors import translated
from tasks.registry.all_versions import files_key
from tasks.registry.mlflow_registry import DATASET_TAG, DIGEST_TAG, EFFECT_TAG, Registry
from tasks.registry.model_versions import search
from tasks.store.address import canonical

_PAGE = 1000
_WITH_DATASETS = "datasets.name LIKE '%'"


@dataclass(frozen=True, slots=True)
class Naming:
    """A version, one of the tables that were asked for, and where it is named."""

    model: str
    version: int
    table: str
    by: str
    """What names the table, in words."""
    source: str
    """Where its files come from, in the one form of `files_key`."""
    digest: str
    """Digest of its weights by our tag; empty without one."""
    effect: str
    """Key of the effect of ours that made it; empty if somebody else did."""


def naming(registry: Registry, tables: Collection[str]) -> Iterator[Naming]:
    """Every version that names one of these tables, and how it does.

    By the tag `expunge.dataset` of the version, or of its registered model, which its owner may
    set; or by a dataset that was logged to the run that made it. Cost: a search of all versions,
    one of all registered models, and one of the runs with datasets, a page at a time each.
    """
    if not tables:
        return
    of_models = dict(_tagged_models(registry))
    of_runs = dict(_datasets_of_runs(registry))
    for v in search(registry, ""):
        told = [
            (v.tags.get(DATASET_TAG, ""), "its tag"),
            (of_models.get(v.name, ""), "the tag of its model"),
            *((place, "a dataset of its run") for place in of_runs.get(v.run_id or "", ())),
        ]
        named = {canonical(place): by for place, by in reversed(told) if place}
        for table in tables:
            if table in named:
                yield Naming(
                    model=v.name,
                    version=int(v.version),
                    table=table,
                    by=named[table],
                    source=files_key(v.source or ""),
                    digest=v.tags.get(DIGEST_TAG, ""),
                    effect=v.tags.get(EFFECT_TAG, ""),
                )


def _tagged_models(registry: Registry) -> Iterator[tuple[str, str]]:
    token = None
    while True:
        with translated("MLflow"):
            page = registry.client.search_registered_models(max_results=_PAGE, page_token=token)
        yield from ((m.name, m.tags[DATASET_TAG]) for m in page if DATASET_TAG in m.tags)
        token = page.token
        if not token:
            return


def _datasets_of_runs(registry: Registry) -> Iterator[tuple[str, set[str]]]:
    with translated("MLflow"):
        experiments = [e.experiment_id for e in registry.client.search_experiments()]
    token = None
    while experiments:
        with translated("MLflow"):
            page = registry.client.search_runs(
                experiments, _WITH_DATASETS, max_results=_PAGE, page_token=token
            )
        for run in page:
            inputs = run.inputs.dataset_inputs if run.inputs else []
            yield run.info.run_id, {place for one in inputs for place in _places(one.dataset)}
        token = page.token
        if not token:
            return


def _places(dataset: Any) -> Iterator[str]:
    """What a logged dataset may call a place: its name, and every text in its source."""
    yield dataset.name
    try:
        source = json.loads(dataset.source)
    except ValueError:
        source = dataset.source
    told = source.values() if isinstance(source, dict) else [source]
    for one in told:
        if isinstance(one, str) and one:
            yield f"file://{one}" if one.startswith("/") else one
