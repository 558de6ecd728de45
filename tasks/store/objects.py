"""Object storage behind six verbs, on a local directory or an S3 bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from unlearning.errors import DataError


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One listed object; `version` changes whenever its content is written again."""

    key: str
    size: int
    version: str
    is_link: bool = False
    """Whether it only points to a file or folder, perhaps outside the store; never followed."""
    changed_at: float = 0.0
    """When it last changed, in seconds since 1970, by the clock of where it lies; 0 if unknown."""
    may_grow: bool = False
    """Whether others can be half way through writing it; an object of a bucket is whole."""

    @property
    def is_folder(self) -> bool:
        """Whether it only marks a folder, as consoles do with an empty object; no file ends so."""
        return self.key.endswith("/") and not self.size


CHUNK = 1 << 20
"""Bytes of a piece in which large objects are read."""
MAX_KEY = 1024
"""Most bytes of a key, on S3 as in a directory."""


class MissingObjectError(DataError):
    """There is no object under this key."""


class ObjectStore(Protocol):
    """What expunge asks of object storage; create-only writes are the one way state changes."""

    uri: str

    def check(self) -> None:
        """Raise SettingsError unless the store can be reached and listed."""
        ...

    def get(self, key: str) -> bytes:
        """The object's bytes; raises MissingObjectError."""
        ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """The object's bytes a piece at a time; raises MissingObjectError."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write the object, replacing an older one."""
        ...

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Create the object; True if it now holds `data`, False if it holds something else.

        A lost reply turns our own successful write into a refusal, so a refusal is settled by
        reading back, never by the exception.
        """
        ...

    def list_objects(self, prefix: str) -> Iterator[ObjectInfo]:
        """Every current object whose key starts with `prefix`, in key order."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object with all its versions; absent is fine."""
        ...

    def purge_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:
        """Remove old versions, delete markers and unfinished uploads below `prefix`; how many.

        Those of keys that begin with one of the spared are left alone.
        """
        ...

    def count_noncurrent(self, prefix: str, spared: tuple[str, ...] = ()) -> int:
        """How many old versions, delete markers and unfinished uploads lie below `prefix`."""
        ...
