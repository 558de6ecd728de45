"""A model's options with defaults and meanings, from the configuration's classes."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docs.generate.tables import code, field_docs, first_sentence, table
from flows.commands.source import SourceOptions


def page() -> str:
    """A table for each section, in the order of the file."""
    parts: list[str] = []
    hints = get_type_hints(SourceOptions)
    for field in fields(SourceOptions):
        kind = hints[field.name]
        if is_dataclass(kind):
            parts += _sections(field.name, kind())
    return "\n\n".join(parts)


def _sections(path: str, config: Any) -> Iterator[str]:
    docs = field_docs(type(config))
    own = [f for f in fields(config) if not is_dataclass(getattr(config, f.name))]
    hints = get_type_hints(type(config))
    rows = [
        (code(f.name), code(_typed(getattr(config, f.name))), _meaning(docs[f.name], hints[f.name]))
        for f in own
    ]
    yield f"## `{path}`"
    yield first_sentence(type(config).__doc__)
    yield table(("option", "default", "meaning"), rows)
    for field in fields(config):
        if field not in own:
            yield from _sections(f"{path}.{field.name}", getattr(config, field.name))


def _meaning(text: str, kind: Any) -> str:
    if get_origin(kind) is not Literal:
        return text
    return f"{text} One of {', '.join(code(_typed(value)) for value in get_args(kind))}."


def _typed(value: object) -> str:
    """As TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
