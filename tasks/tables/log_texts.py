"""What texts of a table's log say of a column: what it was compared with, and whom they name.

Every writer of Delta words its operations in its own way, and anybody may add texts of their own.
So all of them are read, and lists and objects that JSON has in a text, too.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from tasks.tables.words import is_word

MARK = "expunge"
"""The field in which our own commits say what they are for."""
TRIMMED = "log trimmed"
"""What the one says that takes the place of all before it."""

_PARTS = re.compile(r"'(?:[^']|'')*'|`[^`]*`|\"[^\"]*\"|[=<>!]+|[(),]|[^\s'`\"=<>!(),\[\]]+")
"""The parts of a condition: values and names in their quotes, signs, and bare words."""
_RUN = re.compile(r"[\w.@+-]+")
"""What may be an id in a sentence."""
_AT_ENDS = ".@+-"
_COMPARISONS = {"=", "==", "<=>", "<>", "!=", "<", ">", "<=", ">=", "IN", "LIKE", "BETWEEN"}
_WORDS = {"AND", "OR", "NOT"}
_OUR_IDS = "source.id"
"""The column of ids in a deletion of ours, which names none."""
_PLAIN = ("operationMetrics", "timestamp", "inCommitTimestamp", "readVersion", "version")
"""Counts and times that writers note of every commit."""


def operation(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry tells of the operation that made the commit; nothing if we trimmed the log."""
    told = entry.get("commitInfo") or {}
    if told.get(MARK) == TRIMMED:
        return {}
    return {name: value for name, value in told.items() if name not in _PLAIN}


def texts(told: Any) -> Iterator[str]:
    """Every text in it, names of fields and numbers included, and what a field is set to."""
    read = _json(told) if isinstance(told, str) else told
    if isinstance(read, dict):
        for name, value in read.items():
            yield str(name)
            yield from texts(value)
            yield from _assignments(str(name), value)
    elif isinstance(read, (list, tuple)):
        for value in read:
            yield from texts(value)
    elif read is not None and not isinstance(read, bool):
        yield str(read)


def _assignments(name: str, value: Any) -> Iterator[str]:
    """What conditions would say of a field that is set to this, or to one of these."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, (str, int, float)) and not isinstance(one, bool):
            quoted = str(one).replace("'", "''")
            yield f"`{name}` = '{quoted}'"


def _json(text: str) -> Any:
    """What JSON has in a text: a list, an object, or a text; the text itself if it has none."""
    if text.lstrip()[:1] not in ("[", "{", '"'):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def compared(text: str, column: str) -> Iterator[str]:
    """Every value that conditions in the text compare with the column."""
    for facing in _places(text, column):
        yield from (_value(part) for part in facing)


def mentions(text: str, column: str, *, is_ours: bool = False) -> bool:
    """Whether the text says anything of the column but that it is like the same one elsewhere.

    So merges do, which say of each row which other one it is; ours compare it with our own ids. A
    bare name, as in a schema, tells of nobody.
    """
    return not _is_name_of(text.strip(), column) and any(
        not facing
        or any(not (_is_name_of(one, column) or (is_ours and one == _OUR_IDS)) for one in facing)
        for facing in _places(text, column)
    )


def named(text: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that stand in the text, whole; be it by chance, if they are short."""
    found = {run for one in _RUN.findall(text) for run in (one, one.strip(_AT_ENDS))}
    found |= {_value(part) for part in _PARTS.findall(text)}
    odd = {one for one in ids if one and not _RUN.fullmatch(one) and one in text}
    return {one for one in found if one in ids} | odd


def named_for_sure(text: str, ids: Collection[str]) -> set[str]:
    """Those of the ids that stand in the text and that chance would not put there."""
    return {one for one in named(text, ids) if is_word(one)}


def _places(text: str, column: str) -> Iterator[list[str]]:
    """Of each place where the column stands in the text, the parts that it is compared with."""
    parts = list(_joined(_PARTS.findall(text)))
    for place, part in enumerate(parts):
        if _is_name_of(part, column):
            yield [*_before(parts[:place]), *_after(parts[place + 1 :])]


def _joined(parts: list[str]) -> Iterator[str]:
    """The parts, with names of tables and columns that points put together as one."""
    name = ""
    for part in parts:
        if name and (part == "." or (name.endswith(".") and not part.startswith("'"))):
            name += part
            continue
        yield from [name] if name else []
        name = part
    yield from [name] if name else []


def _before(parts: list[str]) -> list[str]:
    """What is compared with what follows, be that in brackets or in a function."""
    while parts[-1:] == ["("]:
        parts = parts[:-1]
        if parts and re.fullmatch(r"\w+", parts[-1]) and not _is_operator(parts[-1]):
            parts = parts[:-1]
    return parts[-2:-1] if len(parts) > 1 and _is_comparison(parts[-1]) else []


def _after(parts: list[str]) -> list[str]:
    """What is compared with what came before, be that in brackets or in a function."""
    while parts and not _is_operator(parts[0]):
        depth = 1
        for place, part in enumerate(parts):
            depth += (part == "(") - (part == ")")
            if _is_operator(part):
                return []
            if not depth:
                parts = parts[place + 1 :]
                break
        else:
            return []
    rest = parts
    while rest and (_is_comparison(rest[0]) or rest[0].upper() == "NOT"):
        rest = rest[1:]
    return list(_listed(rest)) if len(rest) < len(parts) else []


def _listed(parts: list[str]) -> Iterator[str]:
    """The value that comes first, or all of the list that does."""
    if parts[:1] != ["("]:
        yield from parts[:1]
        return
    for part in parts[1:]:
        if part == ")":
            return
        if part != ",":
            yield part


def _is_name_of(part: str, column: str) -> bool:
    """Whether it is the column's name, be it in quotes of names, of a table, or numbered."""
    bare = part.replace('"', "").replace("`", "").partition("#")[0]
    return column in (part.strip('`"'), bare, bare.rpartition(".")[2])


def _is_comparison(part: str) -> bool:
    return part.upper() in _COMPARISONS


def _is_operator(part: str) -> bool:
    return _is_comparison(part) or part.upper() in _WORDS


def _value(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1].replace("''", "'")
    return part.strip('"')
