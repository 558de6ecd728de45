"""What a store still keeps of an object, and what it would not let go of."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tasks.foreign_errors import translated
from tasks.store.objects import ObjectStore
from unlearning.errors import DataError

if TYPE_CHECKING:
    from tasks.store.files import FileStore
    from tasks.store.s3 import S3Store

_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
"""What a disk answers where nothing is, or nothing can be."""


def versions_left(store: ObjectStore, key: str) -> int:
    """How many versions, delete markers and unfinished uploads there are of an object."""
    if _is_bucket(store):
        bucket = cast("S3Store", store)
        return len(bucket.versions(key)) + len(bucket.uploads(key))
    return int(mode_at(store, key) is not None)


def erase(store: ObjectStore, key: str) -> None:
    """Remove an object with all its versions, and with the parts of uploads never finished.

    Raises:
        DataError: it is no file, so that something else may go with it.
    """
    if _is_bucket(store):
        cast("S3Store", store).abort_uploads(key)
    elif strangers(store, [key]) or is_linked(store, key):
        raise DataError(
            f"An object of {store.uri} was replaced by a link, a folder or a pipe just now; put "
            "the file itself there."
        )
    store.delete(key)


def mode_at(store: ObjectStore, key: str) -> int | None:
    """What lies under a key of a directory, as the mode of a file; None if nothing does.

    Where a link is on the way, its own mode: what it leads to may be anywhere. An error of the disk
    is none that says that nothing is there.
    """
    path, mode = cast("FileStore", store).root, None
    for part in Path(key).parts:
        path /= part
        with translated("object store"):
            try:
                mode = os.lstat(path).st_mode
            except OSError as error:
                if error.errno in _ABSENT:
                    return None
                raise
        if stat.S_ISLNK(mode):
            break
    return mode


def strangers(store: ObjectStore, keys: Iterable[str]) -> int:
    """How many of the keys are those of a folder, a pipe or a device of a directory."""
    if _is_bucket(store):
        return 0
    modes = (mode_at(store, key) for key in keys)
    return sum(not (m is None or stat.S_ISREG(m) or stat.S_ISLNK(m)) for m in modes)


def is_linked(store: ObjectStore, key: str) -> bool:
    """Whether a link of a directory leads to the object, or away from where it would lie."""
    mode = None if _is_bucket(store) else mode_at(store, key)
    return mode is not None and stat.S_ISLNK(mode)


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
