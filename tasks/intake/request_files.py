"""Read a file of deletion requests, whatever its format, into rows that validation can judge.

The bytes come from anybody. Whatever they are, `parse` returns rows or raises RequestError, and
takes memory in proportion to MAX_BYTES, never to what a file claims or expands to.
"""

import gzip
import io
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tasks.intake import csv_rows, json_rows
from unlearning.errors import RequestError

FIELDS = ("request_id", "subject_id", "received_at", "ground", "subject_kind")
Columns = tuple[str, ...]
MAX_BYTES = 128 * 1024 * 1024
"""Most bytes of a file as it is sent, and most that it may expand to."""
MAX_ROWS = 250_000
MAX_FIELDS = 16
MAX_TEXT = 4096
"""Most characters of one field or of its name."""
MAX_ROW = 64 * 1024
"""Most characters of one row."""
MAX_DEPTH = 8
"""Most lists and objects within each other in one row."""
TOO_LARGE = f"larger than {MAX_BYTES} bytes; split it"
_TOO_MANY = f"holds more than {MAX_ROWS} rows; split it"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in a file; `problem` says why it could not be read at all."""

    index: int
    fields: dict[str, Any]
    problem: str = ""


def parse(key: str, data: bytes, *, needed: Columns = FIELDS[:2]) -> list[RawRow]:
    """The rows of a request file: JSON, JSON Lines, CSV or Parquet, each also with .gz.

    Args:
        key: Its name, which tells the format.
        data: Its bytes.
        needed: Columns that a CSV file must have; other formats name the fields in each row.

    Raises:
        RequestError: the file as a whole cannot be read; the text says why, without quoting it.
    """
    name = key.lower()
    if len(data) > MAX_BYTES:
        raise RequestError(TOO_LARGE)
    if name.endswith(".gz"):
        name, data = name[:-3], _gunzip(data)
        if name.endswith(".csv"):  # gzip's own end proved that nothing is missing
            data += b"\n"
    reader = _READERS.get(name.rpartition(".")[2])
    if reader is None:
        raise RequestError("of an unknown type; send .json, .jsonl, .csv or .parquet, or these .gz")
    if len(data) > MAX_BYTES:
        raise RequestError(TOO_LARGE)
    found = islice(reader(data, needed), MAX_ROWS + 1)
    rows = [_row(index, *read) for index, read in enumerate(found)]
    if not rows:
        raise RequestError("holds no request")
    if len(rows) > MAX_ROWS:
        raise RequestError(_TOO_MANY)
    return rows


def plain_text(value: Any) -> str | None:
    """Text or a whole number as text; None for anything else, which no id can be."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return None


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


def _lines(data: bytes, newline: str | None) -> Iterator[str]:
    try:
        yield from io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=newline)
    except UnicodeDecodeError as error:
        raise RequestError("not readable as UTF-8 text") from error


Read = tuple[Any, str]
"""What stands in one row, or the problem that kept it from being read."""


def _json(data: bytes, _: Columns) -> Iterator[Read]:
    try:
        for item in json_rows.items(_text(data), MAX_ROW):
            yield item, ""
    except (ValueError, RecursionError) as error:
        raise RequestError("not readable as JSON") from error


def _json_lines(data: bytes, _: Columns) -> Iterator[Read]:
    seen = readable = False
    # No JSON text holds a raw line end, so that those of any system may stand between rows.
    for line in _lines(data, newline=None):
        if not line.strip():
            continue
        seen = True
        if len(line) > MAX_ROW:
            yield None, f"the line is longer than {MAX_ROW} characters"
            continue
        try:
            item = json_rows.loads(line)
        except (ValueError, RecursionError):
            yield None, "the line is not readable as JSON"
        else:
            readable = readable or isinstance(item, dict)
            yield item, ""
    if seen and not readable:
        raise RequestError("no line is readable as a JSON object")


def _csv(data: bytes, needed: Columns) -> Iterator[Read]:
    return csv_rows.rows(_lines(data, newline=""), needed, MAX_ROW)


def _parquet(data: bytes, needed: Columns) -> Iterator[Read]:
    program = Path(__file__).with_name("parquet_rows.py")
    limits = [str(limit) for limit in (MAX_ROWS, MAX_FIELDS, MAX_BYTES)]
    # Its words, if any, are about the file's content: nobody hears them.
    ended = subprocess.run(
        [sys.executable, "-I", str(program), *limits], input=data, capture_output=True, check=False
    )
    if ended.returncode:
        raise RequestError(_PARQUET.get(ended.returncode, "not readable as Parquet"))
    if ended.stdout:
        yield from _json_lines(ended.stdout, needed)


_PARQUET = {
    4: f"larger than {MAX_ROWS} rows, {MAX_FIELDS} columns or {MAX_BYTES} bytes; split it",
    5: "holds columns of lists or structs",
}
"""What the exit statuses of `tasks/intake/parquet_rows.py` mean."""


def _row(index: int, item: Any, problem: str) -> RawRow:
    problem = problem or _problem(item)
    return RawRow(index, {} if problem else item, problem)


def _problem(item: Any) -> str:
    """Why nobody can use the row, whatever its fields mean."""
    if item is json_rows.TWICE:
        return "the entry names a field twice"
    if not isinstance(item, dict):
        return "the entry is not a JSON object"
    if len(item) > MAX_FIELDS:
        return f"the entry has more than {MAX_FIELDS} fields"
    try:
        return next((p for name in item for p in (_flaw(name), _flaw(item[name])) if p), "")
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can spell it, nobody can store it
        return "the entry holds text that is not valid Unicode"


def _flaw(value: Any, depth: int = 1) -> str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            return f"the entry holds text of more than {MAX_TEXT} characters"
        value.encode()
    elif value is json_rows.TWICE:
        return "the entry names a field twice"
    elif value is json_rows.HUGE:
        return f"the entry holds a number of more than {json_rows.MAX_DIGITS} digits"
    elif isinstance(value, (list, dict)):
        if depth == MAX_DEPTH:
            return f"the entry is nested more than {MAX_DEPTH} deep"
        parts = value if isinstance(value, list) else [p for pair in value.items() for p in pair]
        return next((p for part in parts if (p := _flaw(part, depth + 1))), "")
    return ""


_READERS: dict[str, Callable[[bytes, Columns], Iterator[Read]]] = {
    "json": _json,
    "jsonl": _json_lines,
    "ndjson": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
}
