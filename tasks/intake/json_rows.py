"""JSON of strangers, one row at a time: no row larger than wanted is ever built in memory."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

MAX_DIGITS = 256
TWICE: Final = object()
"""Stands for an object that names a key twice: readers would disagree about what it says."""
HUGE: Final = object()
"""Stands for a whole number of more than MAX_DIGITS digits."""
_SHORT = 1024
_SPACE = re.compile(r"[ \t\r\n]*")
_LIST = "requests"


def loads(text: str) -> Any:
    """The one value that the text is.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep to tell.
    """
    return _DECODER.decode(text)


def items(text: str, longest: int) -> Iterator[Any]:
    """The entries of a list, of the list under "requests" of an object, or the object itself.

    Raises:
        ValueError: it is not JSON, or an entry has more than `longest` characters.
        RecursionError: it is nested too deep to tell.
    """
    reader = _Reader(text, longest)
    if reader.takes("["):
        yield from reader.rest_of_list()
    elif (start := _wrapped(text, longest)) is not None:
        reader.place = start
        yield from reader.rest_of_list()
        reader.rest_of_object()
    else:
        yield reader.value()
    reader.ends()


def _wrapped(text: str, longest: int) -> int | None:
    """Where the list under "requests" of an object begins, if the text is one with such a list."""
    reader = _Reader(text, longest)
    if not reader.takes("{") or reader.takes("}"):
        return None
    while True:
        is_list = reader.value(of=str) == _LIST
        reader.must(":")
        if is_list and reader.takes("["):
            return reader.place
        reader.value()
        if not reader.takes(","):
            return None


class _Reader:
    """A place in a text, and what may stand there."""

    def __init__(self, text: str, longest: int) -> None:
        self.text, self.longest, self.place = text, longest, 0

    def takes(self, mark: str) -> bool:
        """Whether the mark stands next; if so, go past it."""
        self.place = _end_of_space(self.text, self.place)
        found = self.text.startswith(mark, self.place)
        self.place += found
        return found

    def must(self, mark: str) -> None:
        if not self.takes(mark):
            raise ValueError(f"no {mark} where one must stand")

    def ends(self) -> None:
        if _end_of_space(self.text, self.place) < len(self.text):
            raise ValueError("more after the end")

    def value(self, of: type = object) -> Any:
        """The value that stands next."""
        self.place = _end_of_space(self.text, self.place)
        for size in (_SHORT, self.longest):
            part = self.text[self.place : self.place + size]
            try:
                found, length = _DECODER.raw_decode(part)
            except ValueError:
                continue
            # A number that ends with the part may go on after it.
            if length < len(part) or self.place + length == len(self.text):
                if not isinstance(found, of):
                    raise ValueError("a key that is no text")
                self.place += length
                return found
        raise ValueError("not JSON, or too long")

    def rest_of_list(self) -> Iterator[Any]:
        if self.takes("]"):
            return
        yield self.value()
        while self.takes(","):
            yield self.value()
        self.must("]")

    def rest_of_object(self) -> None:
        while self.takes(","):
            if self.value(of=str) == _LIST:
                raise ValueError("two lists of requests")
            self.must(":")
            self.value()
        self.must("}")


def _end_of_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _object(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else TWICE


def _whole(digits: str) -> Any:
    return int(digits) if len(digits) <= MAX_DIGITS else HUGE


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole)
