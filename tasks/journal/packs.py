"""Many create-only objects read at once: a pack holds copies of all that lie under a prefix.

packs/<prefix><number>.json holds their texts, each with the version that the store listed it under.
It is no truth, only a way to read a long history in a constant number of calls: what is not in the
latest pack as it is listed now is read by itself, and when that is much, the next pack is written
and the older ones deleted. Who listed those before, or may not write, reads the objects themselves.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.read_once import ReadOnce
from unlearning.errors import ExpungeError

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

    Cost: at most 33 reads and three listings, however many there are, and one write in 32 calls.
    """
    missing = [key for key in keys if key not in frozen]
    if len(missing) > _LOOSE:
        for key, data in _unpacked(store, prefix, keys).items():
            frozen.add(key, data.encode(), parse)
    elif missing:
        with ThreadPoolExecutor(_READERS) as pool:
            for _ in pool.map(lambda key: frozen.parsed(key, parse), missing):
                pass
    return [frozen.parsed(key, parse) for key in keys]


def _unpacked(store: ObjectStore, prefix: str, keys: Sequence[str]) -> dict[str, str]:
    """Every object's text: from the latest pack, and the others by themselves."""
    packs = [info.key for info in store.list_objects(f"{_ROOT}{prefix}")]
    listed = {info.key: info.version for info in store.list_objects(prefix)}
    packed = _texts(store, packs[-1], listed) if packs else {}
    loose = [key for key in keys if key not in packed]
    with ThreadPoolExecutor(_READERS) as pool:
        packed |= zip(loose, (data.decode() for data in pool.map(store.get, loose)), strict=True)
    found = {key: packed[key] for key in keys}
    if len(loose) > _LOOSE:
        with suppress(ExpungeError):  # who may not write, or has no room, has read all the same
            _pack(store, prefix, packs, {k: (listed.get(k, ""), v) for k, v in found.items()})
    return found


def _texts(store: ObjectStore, pack: str, listed: Mapping[str, str]) -> dict[str, str]:
    """What the pack holds of objects that lie there as they did when they were packed."""
    try:
        held = json.loads(store.get(pack))
        return {key: text for key, (version, text) in held.items() if listed.get(key) == version}
    except (MissingObjectError, ValueError, TypeError, AttributeError):
        return {}  # a newer one has just taken its place, or it is damaged


def _pack(
    store: ObjectStore, prefix: str, older: Sequence[str], texts: Mapping[str, tuple[str, str]]
) -> None:
    number = int(older[-1][-len("00000000.json") : -len(".json")]) + 1 if older else 1
    store.put_if_absent(f"{_ROOT}{prefix}{number:08d}.json", json.dumps(texts).encode())
    for one in older:
        store.delete(one)
