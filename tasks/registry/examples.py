"""Input examples that MLflow keeps beside a model's weights: read as vectors, and made neutral."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.foreign_errors import translated
from tasks.registry import artifacts, downloads
from tasks.registry.mlflow_registry import Registry

NAMES = ("input_example.json", "serving_input_example.json")
"""Files of a version in which MLflow keeps rows."""
_KEPT = {"columns", "index", "params"}
"""Parts of them that are no values of a row."""


def read_examples(registry: Registry, place: str) -> dict[str, Any]:
    """The examples among a version's files, by their names, as plain values."""
    found: dict[str, Any] = {}
    repository = artifacts.repository(registry.settings, place)
    with downloads.scratch(registry.settings) as folder, translated("MLflow"):
        there = {info.path for info in repository.list_artifacts()}
        for name in NAMES:
            if name in there:
                file = Path(repository.download_artifacts(name, dst_path=str(folder)))
                found[name] = _values(file.read_bytes())
    return found


def write_example(registry: Registry, place: str, name: str, example: Any) -> None:
    """Put an example in the place of one, of which no older object version stays."""
    repository = artifacts.repository(registry.settings, place)
    with downloads.scratch(registry.settings) as folder, translated("MLflow"):
        (folder / name).write_text(json.dumps(example))
        repository.log_artifact(str(folder / name))
    artifacts.drop_old_versions(registry.settings, place, name)


def vectors(example: Any, features: Sequence[str]) -> Iterator[list[float]]:
    """Every sequence of numbers in an example that may be the features of one row.

    Arrays, data frames, records by column name and sparse matrices, however deep.
    """
    if isinstance(example, list):
        numbers = _numbers(example)
        if numbers is not None:
            yield numbers
        for part in example:
            yield from vectors(part, features)
    elif isinstance(example, dict):
        yield from _of_record(example, features)
        kept = example.keys() if _is_sparse(example) else _kept(example)
        for name in example.keys() - kept:
            yield from vectors(example[name], features)


def texts(example: Any) -> Iterator[str]:
    """Every text in an example, however deep; names of columns are none."""
    if isinstance(example, str):
        yield example
    elif isinstance(example, dict):
        for name in example.keys() - (_kept(example) - {"index"}):
            yield from texts(example[name])
    elif isinstance(example, list):
        for part in example:
            yield from texts(part)


def neutral(example: Any) -> Any:
    """An example of the same form that tells nothing of a row: zeros, and empty strings."""
    if isinstance(example, list):
        return [neutral(part) for part in example]
    if isinstance(example, dict):
        if _is_sparse(example):
            # Where the values stand tells as much as the values.
            ends = [0] * len(example["indptr"])
            return example | {"data": [], "indices": [], "indptr": ends}
        kept = _kept(example)
        return {k: v if k in kept else neutral(v) for k, v in example.items()}
    if isinstance(example, (bool, int, float, str)):
        return type(example)()
    return None


def _kept(example: dict[str, Any]) -> set[str]:
    return _KEPT if {"columns", "data", "inputs"} & example.keys() else set()


def _of_record(example: dict[str, Any], features: Sequence[str]) -> Iterator[list[float]]:
    if _is_sparse(example):
        yield from _dense(example)
    if isinstance(example.get("columns"), list) and isinstance(example.get("data"), list):
        names = example["columns"]
        if set(features) <= {name for name in names if isinstance(name, str)}:
            places = [names.index(name) for name in features]
            rows = ([row[i] for i in places] for row in example["data"])
            yield from (found for row in rows if (found := _numbers(row)) is not None)
    if set(features) <= example.keys():
        columns = [example[name] for name in features]
        if all(isinstance(column, list) for column in columns):
            rows = (list(row) for row in zip(*columns, strict=False))
            yield from (found for row in rows if (found := _numbers(row)) is not None)
        if (found := _numbers(columns)) is not None:
            yield found


def _numbers(values: list[Any]) -> list[float] | None:
    """All numbers of nested lists in their order; None if something else is among them."""
    found: list[float] = []
    for value in values:
        if isinstance(value, list):
            inner = _numbers(value)
            if inner is None:
                return None
            found += inner
        elif isinstance(value, (bool, int, float)):
            found.append(float(value))
        else:
            return None
    return found


def _is_sparse(example: dict[str, Any]) -> bool:
    return {"data", "indices", "indptr", "shape"} <= example.keys()


def _dense(example: dict[str, Any]) -> Iterator[list[float]]:
    """Rows of a sparse matrix, whichever of the two ways it is stored in."""
    rows, columns = example["shape"]
    ends, places = np.asarray(example["indptr"]), np.asarray(example["indices"], dtype=int)
    for is_by_row in (True, False):
        if len(ends) != (rows if is_by_row else columns) + 1:
            continue
        outer = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        matrix = np.zeros((rows, columns))
        at = (outer, places) if is_by_row else (places, outer)
        if len(places) and max(at[0].max() - rows, at[1].max() - columns) >= 0:
            continue
        matrix[at] = example["data"]
        yield from matrix.tolist()


def _values(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")  # nothing to compare, which is told
