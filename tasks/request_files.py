"""Read a file of deletion requests, whatever its format, into rows that validation can judge."""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from unlearning.errors import RequestError

FIELDS = ("request_id", "subject_id", "received_at", "ground")
MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in a file; `problem` says why it could not be read at all."""

    index: int
    fields: dict[str, Any]
    problem: str = ""


def parse(key: str, data: bytes) -> list[RawRow]:
    """The rows of a request file: JSON, JSON Lines, CSV or Parquet, each also with .gz.

    Raises:
        RequestError: the file as a whole cannot be read; the text says why, without quoting it.
    """
    name = key.lower()
    if name.endswith(".gz"):
        name, data = name[:-3], _gunzip(data)
    reader = _READERS.get(name.rpartition(".")[2])
    if reader is None:
        raise RequestError("unknown file type; send .json, .jsonl, .csv or .parquet, or these .gz")
    if len(data) > MAX_BYTES:
        raise RequestError(f"larger than {MAX_BYTES} bytes; split it")
    rows = list(reader(data))
    if not rows:
        raise RequestError("holds no request")
    return rows


def _gunzip(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise RequestError("not readable as gzip") from error


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError("not readable as UTF-8 text") from error


def _json(data: bytes) -> Iterator[RawRow]:
    try:
        document = json.loads(_text(data), object_pairs_hook=_object)
        if isinstance(document, dict) and isinstance(document.get("requests"), list):
            document = document["requests"]
        items = document if isinstance(document, list) else [document]
        rows = [_row(index, item) for index, item in enumerate(items)]
    except (ValueError, RecursionError) as error:
        raise RequestError("not readable as JSON") from error
    return iter(rows)


def _json_lines(data: bytes) -> Iterator[RawRow]:
    lines = [line for line in _text(data).split("\n") if line.strip()]
    rows: list[RawRow] = []
    for index, line in enumerate(lines):
        try:
            rows.append(_row(index, json.loads(line, object_pairs_hook=_object)))
        except (ValueError, RecursionError):
            rows.append(RawRow(index, {}, "the line is not readable as JSON"))
    if rows and all(row.problem for row in rows):
        raise RequestError("no line is readable as a JSON object")
    return iter(rows)


def _csv(data: bytes) -> Iterator[RawRow]:
    try:
        lines = list(csv.reader(io.StringIO(_text(data), newline=""), strict=True))
    except csv.Error as error:
        raise RequestError("not readable as CSV") from error
    lines = [line for line in lines if line]
    header = [name.strip() for name in lines[0]] if lines else []
    if len(set(header)) < len(header):
        raise RequestError("names a column twice in its first line")
    if not set(FIELDS[:2]) <= set(header):
        raise RequestError("the first line lacks the columns request_id and subject_id")
    for index, cells in enumerate(lines[1:]):
        if len(cells) == len(header):
            yield RawRow(index, {k: v for k, v in zip(header, cells, strict=True) if v != ""})
        else:
            yield RawRow(index, {}, "the row does not have as many cells as the header")


def _parquet(data: bytes) -> Iterator[RawRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
        rows = table.to_pylist()
    # pyarrow reports damaged pages, dates out of range and unknown zones in its own several ways.
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as error:
        raise RequestError("not readable as Parquet") from error
    for index, item in enumerate(rows):
        yield _row(index, {k: v for k, v in item.items() if v is not None})


def plain_text(value: Any) -> str | None:
    """Text or a whole number as text; None for anything else, which no id can be."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("the same key twice")
    return dict(pairs)


def _row(index: int, item: Any) -> RawRow:
    if not isinstance(item, dict):
        return RawRow(index, {}, "the entry is not a JSON object")
    try:
        json.dumps(item, ensure_ascii=False, default=str).encode()
    except (
        UnicodeEncodeError
    ):  # half of a surrogate pair, which JSON can spell but nobody can store
        return RawRow(index, {}, "the entry holds text that is not valid Unicode")
    return RawRow(index, {str(k): v for k, v in item.items()})


_READERS: dict[str, Callable[[bytes], Iterator[RawRow]]] = {
    "json": _json,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
