"""A file of options for a person to edit: every option, its default and its meaning."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import Field, dataclass, is_dataclass, replace
from textwrap import wrap
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from flows.commands.options_file import allowed, default, is_required, meaning

_WIDTH = 98
_SENTENCE_END = re.compile(r"(?<=\.)\s")


def template(
    options: type, command: str, given: Mapping[str, Any], absent: Collection[str] = ()
) -> str:
    """The text of a TOML file; what is given stands in it, defaults are lines of comment.

    Args:
        options: a dataclass, as for `laid_over`.
        command: the command that reads the file.
        given: options by key, nested as in the file; None for those that are not given.
        absent: dotted names of fields that mean nothing to this command.
    """
    head = (
        f"Options of a model for `expunge {command} --config FILE`. Lines that begin with # are "
        "meanings and defaults; remove the # of a default and change it. Flags of the command "
        "line go before what is said here."
    )
    return "\n".join([*_comment(head), *_Writer(frozenset(absent)).lines(options, None, given)])


@dataclass(frozen=True)
class _Writer:
    absent: frozenset[str]
    prefix: str = ""

    def lines(self, owner: Any, base: Any, given: Mapping[str, Any]) -> Iterator[str]:
        """The lines of a table; values first, since in TOML whatever follows a table is in it."""
        kinds = get_type_hints(owner)
        known = allowed(owner, self.absent, self.prefix)
        for name, option in known.items():
            if not is_dataclass(kinds[name]):
                yield ""
                yield from _comment(_sentence(owner, name) + _choices(kinds[name]))
                yield self._value(option, base, given.get(name))
        for name, option in known.items():
            if is_dataclass(kinds[name]):
                yield from ("", *_comment(_sentence(owner, name)), f"[{self.prefix}{name}]")
                inner = replace(self, prefix=f"{self.prefix}{name}.")
                nested = default(option) if base is None else getattr(base, name)
                yield from inner.lines(kinds[name], nested, given.get(name) or {})

    def _value(self, option: Field[Any], base: Any, given: Any) -> str:
        if given is not None:
            return f"{option.name} = {_toml(given)}"
        if is_required(option):
            return f'# {option.name} = "…"  # must be given'
        value = default(option) if base is None else getattr(base, option.name)
        return f"# {option.name} = {'…' if value is None else _toml(value)}"


def _choices(kind: Any) -> str:
    names = get_args(kind) if get_origin(kind) is Literal else ()
    return f" One of {', '.join(names)}." if names else ""


def _sentence(owner: Any, name: str) -> str:
    return _SENTENCE_END.split(meaning(owner, name), maxsplit=1)[0]


def _comment(text: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ")


def _toml(value: Any) -> str:
    """A value as TOML; of strings and lists JSON's form is TOML's too, but for one character."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        named = cast("Mapping[str, Any]", value).items()
        return f"{{{', '.join(f'{_toml(name)} = {_toml(one)}' for name, one in named)}}}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
