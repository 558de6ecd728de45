"""A model's options with defaults and meanings, from the classes that read them."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docs.generate.tables import code, field_docs, first_sentence, table
from flows.commands.options import EnrollOptions, SourceOptions, TrainOptions

_HEAD = ("option", "default", "meaning")


def page() -> str:
    """What stands at the top of a file, then a table for each of its tables."""
    own = _own(SourceOptions, ())
    enroll, train = (_own(kind, own) for kind in (EnrollOptions, TrainOptions))
    parts = ["## At the top of the file", table(_HEAD, _rows(SourceOptions, own))]
    parts += ["Only for `expunge enroll`:", table(_HEAD, _rows(EnrollOptions, enroll))]
    parts += ["Only for `expunge train`:", table(_HEAD, _rows(TrainOptions, train))]
    for option in fields(TrainOptions):
        if is_dataclass(get_type_hints(TrainOptions)[option.name]):
            parts += _sections(option.name, _default(option))
    return "\n\n".join(parts)


def _sections(path: str, config: Any) -> Iterator[str]:
    own = _own(type(config), ())
    yield f"## `[{path}]`"
    yield first_sentence(type(config).__doc__)
    yield table(_HEAD, _rows(type(config), own, config))
    for option in fields(config):
        if option not in own:
            yield from _sections(f"{path}.{option.name}", getattr(config, option.name))


def _own(owner: Any, others: tuple[Field[Any], ...]) -> tuple[Field[Any], ...]:
    """The options of a class that are no tables, without those of another class."""
    hints, known = get_type_hints(owner), {one.name for one in others}
    return tuple(
        f for f in fields(owner) if not is_dataclass(hints[f.name]) and f.name not in known
    )


def _rows(owner: type, own: tuple[Field[Any], ...], made: Any = None) -> Iterator[tuple[str, ...]]:
    docs: dict[str, str] = {}
    for base in reversed(owner.__mro__[:-1]):
        docs |= field_docs(base)
    hints = get_type_hints(owner)
    for option in own:
        value = _default(option) if made is None else getattr(made, option.name)
        yield code(option.name), _typed(value), _meaning(docs[option.name], hints[option.name])


def _default(option: Field[Any]) -> object:
    if option.default_factory is not MISSING:
        return option.default_factory()
    return option.default


def _meaning(text: str, kind: Any) -> str:
    if get_origin(kind) is not Literal:
        return text
    return f"{text} One of {', '.join(_typed(value) for value in get_args(kind))}."


def _typed(value: object) -> str:
    """As TOML writes it."""
    if value is MISSING:
        return "must be given"
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return code(str(value).lower())
    return code(str(value).replace("'", '"') if not isinstance(value, str) else f'"{value}"')
