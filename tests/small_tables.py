"""Small tables and models that tests share; subjects have ids that a byte scan can find."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

MARK = "zq7subject"
"""Every raw subject id in the tests contains this."""


def subject(number: int) -> str:
    return f"{MARK}-{number:05d}"


def rows(count: int, *, first: int = 0, seed: int = 0, width: int = 40) -> pa.Table:
    """Two classes that a small network learns by heart before it learns them well."""
    random = np.random.default_rng(seed)
    features = random.integers(0, 2, (count, width)).astype(np.int8)
    signal = features[:, :3].sum(1) >= 2
    labels = np.where(random.random(count) < 0.25, ~signal, signal).astype(np.int64)
    return pa.table(
        {
            "subject_id": [subject(first + i) for i in range(count)],
            "label": labels,
            "features": pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), width),
        }
    )


def write_tables(
    folder: Path | str, *, train: int, holdout: int, storage: dict[str, str] | None = None
) -> tuple[str, str]:
    """Write a training and a holdout table; returns their places."""
    places = f"{folder}/train", f"{folder}/holdout"
    write_deltalake(places[0], rows(train, seed=1), storage_options=storage)
    write_deltalake(places[1], rows(holdout, first=train, seed=2), storage_options=storage)
    return places
