"""Files that a confined process left in its folder: read with care, for it may leave anything."""

import os
import stat
from pathlib import Path


class TooLargeError(ValueError):
    """A file is larger than it may be."""


def read_left(file: Path, most_bytes: int) -> bytes:
    """What it left there; nothing if it is a link or anything but a file.

    Raises:
        TooLargeError: it is larger than that.
    """
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            return b""
        if found.st_size > most_bytes:
            raise TooLargeError
        with os.fdopen(opened, "rb", closefd=False) as held:
            return held.read()
    finally:
        os.close(opened)
