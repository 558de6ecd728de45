"""Files of rows by keyed digests: 16 bytes a row, 8 of a pseudonym and 8 of what the row holds.

They are rosters (`tasks.subjects.rosters`) and erased rows (`tasks.subjects.erased_rows`), which
begin with a line of their columns. Once the key was rotated, the end of a name says to how many.
"""

import re

import numpy as np

from tasks.environment.settings import Settings
from tasks.store import lease
from tasks.store.objects import ObjectStore
from tasks.tables.row_digests import rekeyed_rows
from unlearning.policy.digests import HALF, keys_of, rekeyed_half

ROSTERS, ERASED = "rosters/", "erased-rows/"
_NAME = re.compile(r"(.*?)(?:\.(\d+))?\.rows\Z", re.DOTALL)


def ending(settings: Settings) -> str:
    """How the name of a file ends that is written under these keys."""
    return _ending(len(keys_of(settings.pseudonym_secret())))


def in_order(rows: np.ndarray) -> np.ndarray:
    """The rows sorted by pseudonym, then by digest."""
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


def rekey_row_files(store: ObjectStore, secret: bytes) -> None:
    """Make every file of fewer keys anew under all keys of the secret, and drop what it was.

    Each is written under a name of its own before the other one goes, so that this can stop
    anywhere and be called again. Cost: some microseconds a row.

    Raises:
        ConflictError: another run took over.
    """
    keys = keys_of(secret)
    for prefix in (ROSTERS, ERASED):
        for info in list(store.list_objects(prefix)):
            found = _NAME.match(info.key)
            if found and (count := int(found[2] or 1)) < len(keys):
                lease.check(store)
                data = _rekeyed(store.get(info.key), keys[count:], has_head=prefix == ERASED)
                store.put(f"{found[1]}{_ending(len(keys))}", data)
                store.delete(info.key)
        store.purge_noncurrent(prefix)


def _rekeyed(data: bytes, keys: list[bytes], *, has_head: bool) -> bytes:
    head, line, body = data.partition(b"\n") if has_head else (b"", b"", data)
    rows = np.frombuffer(body, dtype="<u8").reshape(-1, 2)
    for key in keys:
        rows = np.stack([_halves(key, rows[:, 0]), rekeyed_rows(key, rows[:, 1])], axis=1)
    return head + line + in_order(rows).tobytes()


def _halves(key: bytes, subjects: np.ndarray) -> np.ndarray:
    """Halves of pseudonyms under one key more; 0 stays that of rows without a subject."""
    found, places = np.unique(subjects, return_inverse=True)
    made = [0 if one == 0 else int(rekeyed_half(key, f"{one:0{HALF}x}"), 16) for one in found]
    return np.array(made, dtype=np.uint64)[places]


def _ending(count: int) -> str:
    return f".{count}.rows" if count > 1 else ".rows"
