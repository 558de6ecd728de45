"""A store in which every change stays in memory: what a run would do, and nothing done."""

from collections.abc import Iterator
from itertools import count
from threading import Lock

from tasks.store.lease import PREFIX as LEASES
from tasks.store.objects import MissingObjectError, ObjectInfo, ObjectStore


class Overlay:
    """Another store as it is, and over it what was written since, which ends with this process.

    Leases of the other store are not seen: who changes nothing need not wait for anybody. Cost:
    memory for everything that is written.
    """

    def __init__(self, below: ObjectStore) -> None:
        self._below = below
        self.uri = below.uri
        self._written: dict[str, tuple[bytes, str]] = {}
        self._gone: set[str] = set()
        self._numbers = count(1)
        self._lock = Lock()

    def check(self) -> None:
        """Raise unless the store below can be listed; makes nothing there."""
        next(iter(self._below.list_objects("")), None)

    def get(self, key: str) -> bytes:
        """The object's bytes, those written here first."""
        with self._lock:
            if key in self._written:
                return self._written[key][0]
        if not self._is_below(key):
            raise MissingObjectError(f"No object {key!r} in {self.uri}.")
        return self._below.get(key)

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes a piece at a time."""
        if key in self._written or not self._is_below(key):
            yield self.get(key)
        else:
            yield from self._below.chunks(key)

    def put(self, key: str, data: bytes) -> None:
        """Write the object in memory."""
        with self._lock:
            self._written[key] = data, str(next(self._numbers))

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object in memory, or compare with the one that is there."""
        try:
            return self.get(key) == data
        except MissingObjectError:
            pass
        with self._lock:
            found = self._written.setdefault(key, (data, str(next(self._numbers))))
        return found[0] == data

    def list_objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Objects of both, in key order."""
        found = {i.key: i for i in self._below.list_objects(prefix) if self._is_below(i.key)}
        with self._lock:
            mine = {key: one for key, one in self._written.items() if key.startswith(prefix)}
        found |= {key: ObjectInfo(key, len(data), number) for key, (data, number) in mine.items()}
        yield from (found[key] for key in sorted(found))

    def delete(self, key: str) -> None:
        """Remove the object from sight; below it stays."""
        with self._lock:
            self._written.pop(key, None)
            self._gone.add(key)

    def purge_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:  # noqa: ARG002
        """Nothing: old versions of the store below stay."""
        return 0

    def count_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:
        """Old versions of the store below."""
        return self._below.count_noncurrent(prefix, spared)

    def _is_below(self, key: str) -> bool:
        return key not in self._gone and not key.startswith(LEASES)
