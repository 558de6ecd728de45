"""Where a model version came from, as MLflow knows it: when it was made, and from which table."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tasks.foreign_errors import translated
from tasks.registry.mlflow_registry import EFFECT_TAG, Registry
from unlearning.errors import MissingDataError


@dataclass(frozen=True, slots=True)
class LoggedTable:
    """A Delta table that a run logged as its input (`mlflow.log_input`)."""

    path: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What MLflow knows of the making of a version."""

    began_at: datetime
    """When its run began; when it was made, if it has none."""
    made_at: datetime
    """When it existed at the latest: logged, or else registered."""
    is_ours: bool
    """Whether expunge made it, which knows its rows."""
    tables: tuple[LoggedTable, ...]


def origin_of(registry: Registry, model: str, version: int) -> Origin | None:
    """The origin of a version; None if MLflow has no such version."""
    try:
        with translated("MLflow"):
            found = registry.client.get_model_version(model, str(version))
    except MissingDataError:
        return None
    run = _run(registry, found.run_id)
    times = [found.creation_timestamp, *_logged_at(registry, model, version)]
    made = _moment(min(times))
    began = made if run is None or not run.info.start_time else _moment(run.info.start_time)
    return Origin(
        began_at=min(began, made),
        made_at=made,
        is_ours=EFFECT_TAG in found.tags,
        tables=_tables(run),
    )


def _run(registry: Registry, run_id: str | None) -> Any | None:
    try:
        with translated("MLflow"):
            return registry.client.get_run(run_id) if run_id else None
    except MissingDataError:  # as after `mlflow gc`
        return None


def _logged_at(registry: Registry, model: str, version: int) -> list[int]:
    logged = registry.logged_model_id(model, version)
    try:
        with translated("MLflow"):
            return [registry.client.get_logged_model(logged).creation_timestamp] if logged else []
    except MissingDataError:
        return []


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _tables(run: Any | None) -> tuple[LoggedTable, ...]:
    """Delta tables among the inputs of a run, but for those that it says it tested on."""
    inputs = run.inputs.dataset_inputs if run is not None and run.inputs else []
    found: list[LoggedTable] = []
    for one in inputs:
        contexts = {tag.value for tag in one.tags if tag.key == "mlflow.data.context"}
        if one.dataset.source_type != "delta_table" or contexts - {"train", "training"}:
            continue
        source = json.loads(one.dataset.source)
        version = source.get("delta_table_version")
        if source.get("path"):
            found.append(LoggedTable(source["path"], None if version is None else int(version)))
    return tuple(found)
