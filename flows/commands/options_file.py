"""Options in layers: defaults, a TOML file over them, flags over both; each checked by itself."""

import inspect
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, get_type_hints

from docstring_parser import parse_from_object
from pydantic import TypeAdapter, ValidationError

from unlearning.errors import SettingsError

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """Options from one place, nested as in a file; None stands for what is not said there."""

    place: str
    """The place as a sentence names it to a person."""
    keys: Mapping[str, Any]


def read_file(path: Path) -> Layer:
    """The options that a file says, not yet checked.

    Raises:
        SettingsError: there is no such file, or it is not TOML.
    """
    try:
        return Layer(str(path), tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror}); write such a file with --init."
        ) from error
    except ValueError as error:  # of tomllib, or bytes that are no UTF-8
        raise SettingsError(f"{path} is not TOML: {error}; mend it there.") from error


def laid_over(options: type[T], layers: Iterable[Layer], absent: Collection[str] = ()) -> T:
    """The options of a command: defaults, and over them what each layer says.

    Args:
        options: a dataclass; a field that is a dataclass is a table of the file.
        layers: the weakest first.
        absent: dotted names of fields that mean nothing to this command.

    Raises:
        SettingsError: a key is unknown, or a value is missing, of a wrong type or out of its
            limits.
    """
    found = checked(options, layers, absent)
    for name in allowed(options, absent):
        if name not in found:
            raise SettingsError(
                f'Name the {name}: on the command line, or with a line `{name} = "…"` in the file '
                "that --config names."
            )
    return options(**found)


def checked(options: Any, layers: Iterable[Layer], absent: Collection[str] = ()) -> dict[str, Any]:
    """The same by key, without what has no default and is not given."""
    found = {f.name: default(f) for f in fields(options) if not is_required(f)}
    for layer in layers:
        reader = _Reader(layer.place, frozenset(absent))
        found |= reader.read(options, SimpleNamespace(**found), layer.keys)
    return found


def joined(layers: Iterable[Layer]) -> dict[str, Any]:
    """What all layers say, nested as in a file; None where none of them says anything."""
    found: dict[str, Any] = {}
    for layer in layers:
        found = _over(found, layer.keys)
    return found


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping):
            found[key] = _over(found.get(key) or {}, value)
        elif value is not None:
            found[key] = value
    return found


def allowed(options: Any, absent: Collection[str] = (), prefix: str = "") -> dict[str, Field[Any]]:
    """The fields of a table that a file may name, by key; those of base classes first."""
    return {f.name: f for f in fields(options) if prefix + f.name not in absent}


def is_required(option: Field[Any]) -> bool:
    """Whether an option has no default."""
    return option.default is MISSING and option.default_factory is MISSING


def default(option: Field[Any]) -> Any:
    """The default of an option that has one."""
    if option.default_factory is not MISSING:
        return option.default_factory()
    return option.default


def meaning(owner: type, name: str) -> str:
    """What the docstring under a field says, on one line."""
    return " ".join(_docstrings(owner)[name].split())


@cache
def _docstrings(owner: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for base in reversed(inspect.getmro(owner)):
        if is_dataclass(base):
            told = parse_from_object(base).params
            found |= {p.arg_name: p.description or "" for p in told}
    return found


@dataclass(frozen=True)
class _Reader:
    """Checks the keys of one table, and of the tables in it."""

    place: str
    absent: frozenset[str]
    prefix: str = ""

    def read(self, owner: Any, base: Any, table: Mapping[str, Any]) -> dict[str, Any]:
        """The values that the table gives; `base` holds what the tables in it are laid over."""
        known, kinds = allowed(owner, self.absent, self.prefix), get_type_hints(owner)
        found: dict[str, Any] = {}
        for key, value in table.items():
            if value is None:
                continue
            if key not in known:
                raise SettingsError(self._unknown(key, known))
            if is_dataclass(kinds[key]):
                found[key] = self._nested(key, kinds[key], getattr(base, key), value)
            else:
                found[key] = self._value(key, kinds[key], value)
        return found

    def _nested(self, key: str, owner: Any, base: Any, value: Any) -> Any:
        if not isinstance(value, Mapping):
            name = self.prefix + key
            raise SettingsError(f"{self.place}: {name} is {value!r}; make it a table, [{name}].")
        inner = replace(self, prefix=f"{self.prefix}{key}.")
        found = inner.read(owner, base, value)
        try:
            return replace(base, **found)
        except SettingsError as error:
            raise SettingsError(f"{self.place}: {inner.prefix}{error}") from error

    def _value(self, key: str, kind: Any, value: Any) -> Any:
        try:
            return TypeAdapter(kind).validate_python(value, strict=True)
        except ValidationError as error:
            wanted = error.errors()[0]["msg"].replace("Input", "it", 1)
            raise SettingsError(
                f"{self.place}: {self.prefix}{key} is {value!r}, but {wanted}; change it there."
            ) from error

    def _unknown(self, key: str, known: Collection[str]) -> str:
        close = get_close_matches(key, known, 1)
        hint = f"is it {self.prefix}{close[0]}?" if close else "--init writes all that there are."
        return f"{self.place}: there is no option {self.prefix}{key}; {hint}"
