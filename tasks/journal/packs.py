"""Many create-only objects read at once: a pack holds copies of all that lie under a prefix.

packs/<prefix><count>.json holds the first `count` of them. It is no truth, only a way to read a
long history in a constant number of calls: what is not in the latest pack is read by itself, and
when that is much, the next pack is written. An older pack is deleted then; who listed it before
reads the objects themselves.
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.read_once import ReadOnce

T = TypeVar("T")

_ROOT = "packs/"
_LOOSE = 32
"""So many objects are read one by one before they are packed."""
_READERS = 16


def read_packed(
    store: ObjectStore,
    frozen: ReadOnce,
    prefix: str,
    keys: Sequence[str],
    parse: Callable[[bytes], T],
) -> list[T]:
    """The parsed objects of these keys, all that lie under the prefix and are create-only.

    Cost: at most 33 reads and two listings, however many there are, and one write in 32 calls.
    """
    if sum(key not in frozen for key in keys) > _LOOSE:
        for key, data in _unpacked(store, prefix, keys).items():
            frozen.add(key, data.encode(), parse)
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda key: frozen.parsed(key, parse), keys))


def _unpacked(store: ObjectStore, prefix: str, keys: Sequence[str]) -> dict[str, str]:
    """Every object's text: from the latest pack, and the others by themselves."""
    packs = [info.key for info in store.list_objects(f"{_ROOT}{prefix}")]
    packed: dict[str, str] = {}
    with suppress(MissingObjectError):  # a newer one has just taken its place
        packed = json.loads(store.get(packs[-1])) if packs else {}
    loose = [key for key in keys if key not in packed]
    with ThreadPoolExecutor(_READERS) as pool:
        packed |= zip(loose, (data.decode() for data in pool.map(store.get, loose)), strict=True)
    if len(loose) > _LOOSE:
        name = f"{_ROOT}{prefix}{len(packed):08d}.json"
        store.put_if_absent(name, json.dumps(packed).encode())
        for older in packs:
            if older < name:
                store.delete(older)
    return {key: packed[key] for key in keys}
