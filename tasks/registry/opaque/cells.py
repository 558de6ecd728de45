"""Rows of any columns as numbers and back: what a model of another library is given is the table's.

A tensor holds them on the way, float64 [N, F]: numbers, truth values and times as they are, a text
as a number of 52 bits that stands for it, and what is missing as no number at all.
"""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from unlearning.errors import DataError, UnfitRowsError

_EXACT = 1 << 53
_TEXT, _LIST = "string", re.compile(r"list<(\w+)>")
_TIME = re.compile(r"timestamp\[(\w+)(?:, tz=(.+))?\]")
_texts: dict[int, str] = {}
"""The texts that were met in this process, by their numbers."""


def cell_types(schema: pa.Schema, features: Sequence[str]) -> tuple[str, ...]:
    """The type of each feature as text, as it is recorded and as `decoded` takes it.

    Raises:
        DataError: a column has a type that is not carried, or is one list among others.
    """
    return tuple(
        _type_of(schema.field(name).type, name, alone=len(features) == 1) for name in features
    )


def _type_of(kind: pa.DataType, name: str, *, alone: bool) -> str:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind):
        return _TEXT
    if is_number(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind):
        return str(kind)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if (is_list or pa.types.is_fixed_size_list(kind)) and is_number(kind.value_type):
        if alone:
            return f"list<{kind.value_type}>"
        raise DataError("Name one list column, or several columns without lists, not a mixture.")
    raise DataError(
        f"Feature column {name!r} must hold numbers, text, truth values, dates or times, or be one "
        "list of numbers; leave it out of --features."
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type holds numbers or truth values."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text."""
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def encoded(table: pa.Table, features: Sequence[str], types: Sequence[str]) -> Tensor:
    """The features of the rows as numbers, float64 [N, F].

    Cost: a look at every value; the texts that differ stay in memory.

    Raises:
        UnfitRowsError: a whole number is too large, lists differ in length or lack a whole number,
            or two texts have one number.
    """
    if not table.num_rows:
        return torch.zeros((0, len(features)), dtype=torch.float64)
    if found := _LIST.fullmatch(types[0]):
        return torch.from_numpy(_lists(table[features[0]], features[0], found[1]))
    columns = [
        _numbers(table[name], kind, name) for name, kind in zip(features, types, strict=True)
    ]
    return torch.from_numpy(np.stack(columns, axis=1))


def _numbers(column: pa.ChunkedArray, kind: str, name: str) -> np.ndarray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if kind == _TEXT:
        return _codes(column.cast(pa.string()))
    if pa.types.is_temporal(column.type):
        wanted = _arrow(kind)
        column = column.cast(wanted).cast(pa.int32() if pa.types.is_date32(wanted) else pa.int64())
    if pa.types.is_integer(column.type):
        _refuse_large(column, name)
    return column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)


def _refuse_large(column: pa.ChunkedArray | pa.Array, name: str) -> None:
    ends = pc.min_max(column).as_py()  # pyright: ignore[reportAttributeAccessIssue]
    if any(value is not None and abs(value) > _EXACT for value in ends.values()):
        raise UnfitRowsError(
            f"The column {name!r} holds whole numbers beyond 2^53, which lose digits on their way "
            "to the model; store them as text."
        )


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    found = column.combine_chunks().dictionary_encode()
    texts = found.dictionary.to_pylist()
    codes = np.array([*map(_code, texts), np.nan], dtype=np.float64)
    places = found.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return codes[places]


def _code(text: str) -> int:
    """The same in every process: parts of rows are told apart by it, too."""
    code = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 12
    if _texts.setdefault(code, text) != text:
        raise UnfitRowsError(
            "Two different texts of the table have the same number, which happens once in many "
            "billions; change the spelling of a value."
        )
    return code


def _lists(column: pa.ChunkedArray, name: str, kind: str) -> np.ndarray:
    found = column.combine_chunks()
    lengths = found.value_lengths().unique()
    if found.null_count or len(lengths) != 1:
        raise UnfitRowsError(
            f"The lists of the column {name!r} are missing or differ in length; mend such rows."
        )
    numbers = found.flatten()
    if pa.types.is_integer(numbers.type):
        _refuse_large(numbers, name)
    values = numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    if not pa.types.is_floating(_arrow(kind)) and np.isnan(values).any():
        raise UnfitRowsError(
            f"A list of the column {name!r} lacks a number, which a list of whole numbers or truth "
            "values cannot say to the model; mend such rows."
        )
    return values.astype(np.float64).reshape(len(found), -1)


def decoded(rows: Tensor, features: Sequence[str], types: Sequence[str]) -> pa.Table:
    """The rows as the table has them: columns of these names and types.

    Raises:
        UnfitRowsError: a number stands for a text that this process never met.
    """
    values = rows.detach().cpu().to(torch.float64).numpy()
    if found := _LIST.fullmatch(types[0]):
        flat = pa.array(values.reshape(-1)).cast(_arrow(found[1]), safe=False)
        return pa.table({features[0]: pa.FixedSizeListArray.from_arrays(flat, values.shape[1])})
    if values.shape[1] != len(features):
        raise UnfitRowsError(
            f"Rows have {values.shape[1]} cells for {len(features)} columns; check --features."
        )
    return pa.table(
        {
            name: _column(values[:, place], kind)
            for place, (name, kind) in enumerate(zip(features, types, strict=True))
        }
    )


def _column(values: np.ndarray, kind: str) -> pa.Array:
    missing = np.isnan(values)
    if kind == _TEXT:
        codes, places = np.unique(values[~missing], return_inverse=True)
        texts = np.array([_text(int(code)) for code in codes], dtype=object)
        column = np.full(len(values), None, dtype=object)
        column[~missing] = texts[places]
        return pa.array(column, pa.string())
    wanted = _arrow(kind)
    if pa.types.is_floating(wanted):
        return pa.array(values, mask=missing).cast(wanted, safe=False)
    whole = pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
    if pa.types.is_date32(wanted):
        whole = whole.cast(pa.int32())
    return whole.cast(wanted)


def _text(code: int) -> str:
    if code not in _texts:
        raise UnfitRowsError("A row was changed on its way to the model; run again.")
    return _texts[code]


def _arrow(kind: str) -> pa.DataType:
    if found := _TIME.fullmatch(kind):
        return pa.timestamp(found[1], found[2])
    return pa.date32() if kind.startswith("date32") else pa.type_for_alias(kind)
