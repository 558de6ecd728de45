"""What a store still keeps of an object, and what it would not let go of."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from tasks.store.objects import ObjectStore

if TYPE_CHECKING:
    from tasks.store.files import FileStore
    from tasks.store.s3 import S3Store


def versions_left(store: ObjectStore, key: str) -> int:
    """How many versions and delete markers there are of an object of a directory or bucket."""
    if _is_bucket(store):
        return len(cast("S3Store", store).versions(key))
    return int(os.path.lexists(cast("FileStore", store).root / key))


def locks_all(store: ObjectStore) -> bool:
    """Whether its bucket retains whatever is written to it, also what is to be removed at once."""
    return _is_bucket(store) and "Rule" in cast("S3Store", store).locks()


def locked(store: ObjectStore, keys: Iterable[str]) -> int:
    """How many of the objects have a version that their bucket retains or holds (S3 Object Lock).

    Cost: a call, and where the bucket has locks two more for each object and version.
    """
    if not (_is_bucket(store) and cast("S3Store", store).locks()):
        return 0
    return sum(cast("S3Store", store).is_locked(key) for key in keys)


def _is_bucket(store: ObjectStore) -> bool:
    return store.uri.startswith("s3:")
