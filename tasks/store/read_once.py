"""Objects that never change, fetched and parsed once for all who ask."""

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from cachetools import LRUCache

from tasks.store.objects import ObjectStore

_T = TypeVar("_T")
_MOST_BYTES = 256 << 20


class ReadOnce:
    """Parsed values of create-only objects; the least recently used go when they are too many.

    For keys only that are created once and never deleted, each parsed in one way wherever it is
    asked for. What it gives is shared: nobody may change it. Cost: `most_bytes` bounds the objects
    as they are stored; as values they take a few times more.
    """

    def __init__(self, store: ObjectStore, most_bytes: int = _MOST_BYTES) -> None:
        self.store = store
        self._kept: LRUCache[str, tuple[Any, int]] = LRUCache(most_bytes, getsizeof=_size)
        self._lock = Lock()

    def __contains__(self, key: str) -> bool:
        """Whether the object's value is at hand."""
        with self._lock:
            return key in self._kept

    def parsed(self, key: str, parse: Callable[[bytes], _T]) -> _T:
        """The object's value; nothing is kept of one that is absent or cannot be parsed.

        Raises:
            MissingObjectError: there is no object under this key.
        """
        with self._lock:
            found = self._kept.get(key)
        if found is not None:
            return found[0]
        return self.add(key, self.store.get(key), parse)

    def add(self, key: str, data: bytes, parse: Callable[[bytes], _T]) -> _T:
        """Keep the value of an object that is known to hold these bytes; returns it."""
        value = parse(data)
        if len(data) <= self._kept.maxsize:
            with self._lock:
                self._kept[key] = (value, len(data))
        return value


def _size(kept: tuple[Any, int]) -> int:
    return kept[1]
