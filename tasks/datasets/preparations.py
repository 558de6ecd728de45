"""An owner's own code between the columns of a table and what a model takes, kept with its files.

Both lie in the store as one archive under its digest, and are run in a confined process.
"""

import io
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load

from tasks.datasets import preparation_process
from tasks.datasets.preparation_process import CODE, FILES, MADE, ROWS
from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.confined.places import private_places
from tasks.registry.confined.role import Role
from tasks.registry.confined.worker import Worker
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.opening import open_store
from unlearning.errors import ConflictError, UnfitRowsError
from unlearning.policy.digests import bytes_digest

TO_COME = "to come"
"""In the place of a key, before an enrolment has kept the preparation."""
LARGEST_WHOLE = 2**24
"""Rows are float32, which holds every whole number up to here."""
_FOLDER, _ENDING, _HOW = "preparations/", ".zip", "how.json"
_SECONDS, _MOST_BYTES, _MOST_WORKERS = 600.0, 1 << 31, 2
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{0,60}|", re.ASCII)
_THEN = (1980, 1, 1, 0, 0, 0)
_REMEDY = "mend it, and enrol the model again with --prepare"
_known: OrderedDict[str, bytes] = OrderedDict()
_workers: OrderedDict[tuple[Any, ...], Worker] = OrderedDict()


def keep_preparation(
    store: ObjectStore, code: bytes, files: Mapping[str, bytes], python: str
) -> str:
    """Keep the code with what was logged beside the model, and the Python for it; the key."""
    written = io.BytesIO()
    how = json.dumps({"python": python}).encode()
    with ZipFile(written, "w") as archive:
        for name, data in ((CODE, code), (_HOW, how), (FILES, _archive(files))):
            archive.writestr(ZipInfo(name, _THEN), data)
    key = f"{_FOLDER}{bytes_digest(written.getvalue())}{_ENDING}"
    store.put_if_absent(key, written.getvalue())
    _known[key] = written.getvalue()
    return key


def prepared(table: pa.Table, spec: DatasetSpec, settings: Settings) -> dict[str, np.ndarray]:
    """What the preparation makes of the features of these rows: arrays by argument, [N, ...] each.

    A single array has the empty name. Numbers are float32, int64 or truth values.

    Raises:
        UnfitRowsError: it fails, hangs, or makes something else of them.
        ConflictError: it is gone from the store, or another file lies in its place.
    """
    wanted = table.select(list(dict.fromkeys(spec.features)))
    given = {ROWS: _written(wanted)}
    said, left = _worker(spec, settings).ask(
        {}, seconds=_SECONDS, given=given, wanted={MADE: _MOST_BYTES}
    )
    if "odd" in said:
        raise _refused(f"gives {str(said['odd'])[:20]} in place of numbers")
    try:
        arrays = load(left[MADE])
        found = {name: arrays[str(n)] for n, name in enumerate(said["names"])}
    except (SafetensorError, KeyError, TypeError) as error:
        raise _refused(f"leaves what cannot be read ({type(error).__name__})") from error
    for name, array in found.items():
        _check(name, array, table.num_rows)
    return dict(sorted(found.items()))


def forget() -> None:
    """End every process of a preparation, and drop what is kept in memory of them."""
    while _workers:
        _workers.popitem()[1].close()
    _known.clear()


def _check(name: str, array: np.ndarray, rows: int) -> None:
    if not _IDENTIFIER.fullmatch(name):
        raise _refused("gives an array a name that is none of an argument")
    if array.ndim == 0 or len(array) != rows:
        raise _refused(f"makes {len(array) if array.ndim else 1} rows of {rows}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _refused("gives numbers that are not finite")
    if array.dtype.kind == "i" and (np.abs(array) > LARGEST_WHOLE).any():
        raise _refused(f"gives whole numbers beyond {LARGEST_WHOLE:,}")


def _refused(what: str) -> UnfitRowsError:
    return UnfitRowsError(f"The preparation of rows {what}; {_REMEDY}.")


def _worker(spec: DatasetSpec, settings: Settings) -> Worker:
    key = (settings.home, spec.preparation, spec.uri)
    if key not in _workers:
        data = _known.get(spec.preparation) or _stored(spec.preparation, settings)
        with ZipFile(io.BytesIO(data)) as archive:
            files = {name: archive.read(name) for name in (CODE, FILES)}
            python = str(json.loads(archive.read(_HOW))["python"])
        program = Path(preparation_process.__file__).read_bytes()
        _workers[key] = Worker(
            settings,
            Role("The preparation of rows", _REMEDY, UnfitRowsError, source=CODE),
            {**files, "answers.py": program},
            python=python,
            private=private_places(settings, [spec.uri, *spec.prefixes]),
        )
    _workers.move_to_end(key)
    while len(_workers) > _MOST_WORKERS:
        _workers.popitem(last=False)
    return _workers[key]


def _stored(key: str, settings: Settings) -> bytes:
    remedy = "restore it, or enrol the models of its table again"
    try:
        data = open_store(settings.store_uri, settings).get(key)
        ZipFile(io.BytesIO(data)).close()
    except (MissingObjectError, BadZipFile) as error:
        raise ConflictError(f"{key} is gone from the store; {remedy}.") from error
    if key != f"{_FOLDER}{bytes_digest(data)}{_ENDING}":
        raise ConflictError(f"{key} holds another file than was enrolled; {remedy}.")
    return data


def _archive(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with ZipFile(written, "w") as archive:
        for name in sorted(files):
            archive.writestr(ZipInfo(name, _THEN), files[name])
    return written.getvalue()


def _written(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return memoryview(sink.getvalue())
