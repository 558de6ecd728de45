"""Rows of a table whose ids are spelled like those that are asked for."""

from collections import Counter
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from tasks.foreign_errors import translated
from tasks.tables.delta import arrow_dataset, arrow_schema, count_by_subject
from tasks.tables.subject_ids import id_texts, is_text
from unlearning.policy.spelling import loose_form

_PLAIN = r"^[0-9A-Za-z@._-][0-9A-Za-z@._+-]*$"
"""Ids that Arrow can give a loose form, which is that of small letters, but for these:"""
_LIKE_A_NUMBER = r"^[-+0-9._eE]+$"
_LIKE_A_UUID = r"^[0-9A-Fa-f-]{32,}$"
_WHOLE_NUMBER = r"^(0|-?[1-9][0-9]*)$"
_UUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"


def rows_by_id(table: DeltaTable, column: str, forms: Collection[str]) -> dict[str, int]:
    """Rows of each id in the column whose loose form is one of these; it never leaves a task.

    Cost: whole numbers are one filtered read. Of text the column is read once; Arrow compares plain
    ids, about a million a second, Python those with any other letter, about a hundred thousand.
    """
    if not forms:
        return {}
    with translated("table"):
        kind = arrow_schema(table).field(column).type
    if pa.types.is_integer(kind):
        return count_by_subject(table, column, forms)
    found: Counter[str] = Counter()
    wanted = pa.array(sorted(forms), pa.string())
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=[column]):
            counted = batch.column(0).drop_null().value_counts()
            values, counts = _texts(counted.field("values")), counted.field("counts")
            alike = _call("is_in", loose_forms(values), pc.SetLookupOptions(wanted))
            for value, count in zip(
                values.filter(alike).to_pylist(), counts.filter(alike).to_pylist(), strict=True
            ):
                found[value] += count
    return dict(found)


def _texts(values: pa.Array) -> pa.Array:
    if is_text(values.type):
        return values.cast(pa.string())
    return pa.array(["" if one is None else one for one in id_texts(values)], pa.string())


def loose_forms(ids: pa.Array) -> pa.Array:
    """`loose_form` of each of these texts."""
    lower = _call("ascii_lower", ids)
    is_uuid, is_whole = _like(ids, _UUID), _like(ids, _WHOLE_NUMBER)
    no_dashes = _call("replace_substring", lower, pc.ReplaceSubstringOptions("-", ""))
    forms = _call("if_else", is_uuid, no_dashes, lower)
    special = _call("or", _like(ids, _LIKE_A_NUMBER), _like(ids, _LIKE_A_UUID))
    simple = _call("and_not", _like(ids, _PLAIN), special)
    odd = _call("invert", _call("or", simple, _call("or", is_uuid, is_whole)))
    slow = [loose_form(one) for one in ids.filter(odd).to_pylist()]
    return _call("replace_with_mask", forms, odd, pa.array(slow, pa.string()))


def _like(ids: pa.Array, pattern: str) -> pa.Array:
    return _call("match_substring_regex", ids, pc.MatchSubstringOptions(pattern))


def _call(name: str, *arguments: Any) -> pa.Array:
    """A function of Arrow by name; its options, if any, come last."""
    options = arguments[-1] if isinstance(arguments[-1], pc.FunctionOptions) else None
    given = list(arguments[:-1] if options is not None else arguments)
    return pc.call_function(name, given, options)
