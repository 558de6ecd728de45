"""Ids as a table's subject column holds them, whatever its type, and as the text of a request.

Each value has one text and each text one value at most: "007" is not the subject 7. Else rows would
be deleted for a request that is told there were none.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from math import isfinite, isnan
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(?:\.([0-9]*[1-9]))?")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"(?:[0-9a-f]{2})+")
_UUID_BYTES = 16


def why_no_subject(kind: pa.DataType) -> str:
    """Why a column of this type cannot say whose a row is, to follow its name; empty if it can."""
    if pa.types.is_boolean(kind):
        return "holds true or false, which names nobody"
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        return "holds times, which are written in many ways and name nobody"
    if pa.types.is_nested(kind):
        return "holds several values in one"
    if any(test(kind) for test in (is_text, pa.types.is_integer, _is_bytes, *_OTHERS)):
        return ""
    return f"has the type {kind}, whose values have no one spelling"


def is_text(kind: pa.DataType) -> bool:
    """Whether the column holds text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_spelled(kind: pa.DataType) -> bool:
    """Whether an id of this type, as text, is so long and odd that it stands nowhere by chance."""
    return is_text(kind) or _is_bytes(kind) or pa.types.is_integer(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in tests)


_ZERO_BELOW = re.compile(r"-[0.]+(?:[eE].*)?")
_OTHERS = (pa.types.is_decimal, pa.types.is_date, pa.types.is_floating)


def can_hold(kind: pa.DataType, subject: str) -> bool:
    """Whether a column of this type can hold the id as it is written."""
    if pa.types.is_integer(kind):
        limit = 2 ** (kind.bit_width - 1)
        return bool(_WHOLE.fullmatch(subject)) and -limit <= int(subject) < limit
    if is_text(kind):
        return True
    try:
        value = _value(kind, subject)
    except (ValueError, OverflowError):
        return False
    return _text_of(kind)(value) == subject


def id_array(kind: pa.DataType, subjects: Iterable[str]) -> pa.Array:
    """The ids in this type; those that cannot be such drop out."""
    fitting = sorted({subject for subject in subjects if can_hold(kind, subject)})
    if pa.types.is_integer(kind):
        return pa.array(sorted(map(int, fitting)), kind)
    if is_text(kind):
        return pa.array(fitting, pa.string())
    return pa.array([_value(kind, subject) for subject in fitting], kind)


def id_texts(values: pa.Array | pa.ChunkedArray) -> list[str | None]:
    """The ids of a column as requests write them; None where it has no value."""
    if is_text(values.type):
        return values.to_pylist()
    text = _text_of(values.type)
    return [None if one is None else text(one) for one in values.to_pylist()]


def among(column: str, kind: pa.DataType, subjects: Iterable[str]) -> ds.Expression:
    """A filter for the rows of these subjects."""
    field = ds.field(column)
    if not (is_text(kind) or pa.types.is_integer(kind)):
        # Delta's statistics of other types are rough, of decimals beyond 2^63 wrong: Arrow, which
        # leaves out what they rule out, must not see that this is about the column.
        field = pc.coalesce(field)  # pyright: ignore[reportAttributeAccessIssue] - made on import
    return field.isin(id_array(kind, subjects))


def _value(kind: pa.DataType, subject: str) -> Any:
    """The value that the text may stand for; raises ValueError if it stands for none."""
    if pa.types.is_date(kind):
        return date.fromisoformat(subject)
    if _is_bytes(kind):
        return _bytes(kind, subject)
    if _ZERO_BELOW.fullmatch(subject):  # the table has one zero, and that is "0"
        raise ValueError
    if pa.types.is_decimal(kind):
        return _decimal(kind, subject)
    value = float(subject)
    if not isfinite(value) or (kind.bit_width < 64 and float(np.float32(value)) != value):  # noqa: PLR2004
        raise ValueError
    return value


def _bytes(kind: pa.DataType, subject: str) -> bytes:
    if not (_UUID.fullmatch(subject) or _HEX.fullmatch(subject)):
        raise ValueError
    value = bytes.fromhex(subject.replace("-", ""))
    if pa.types.is_fixed_size_binary(kind) and len(value) != kind.byte_width:
        raise ValueError
    return value


def _decimal(kind: pa.DataType, subject: str) -> Decimal:
    found = _DECIMAL.fullmatch(subject)
    if not found or len(found[2] or "") > kind.scale or len(found[1]) > kind.precision - kind.scale:
        raise ValueError
    return Decimal(subject)


def _text_of(kind: pa.DataType) -> Callable[[Any], str | None]:
    if pa.types.is_date(kind):
        return date.isoformat
    if _is_bytes(kind):
        return lambda value: str(UUID(bytes=value)) if len(value) == _UUID_BYTES else value.hex()
    if pa.types.is_decimal(kind):
        return _decimal_text
    return _number_text if pa.types.is_floating(kind) else str


def _decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _number_text(value: float) -> str | None:
    """Of a whole number its digits alone, as of those that became 7.0 where others are missing."""
    if isnan(value):
        return None
    is_whole = isfinite(value) and value.is_integer() and str(value) != "-0.0"
    return str(int(value)) if is_whole else repr(value)
