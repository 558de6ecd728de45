"""Whether a store keeps its one promise: what was created is overwritten by nobody."""

import uuid

from tasks.store.objects import ObjectStore
from unlearning.errors import SettingsError

FOLDER = "probe/"
"""Where an object is created, asked for and removed again."""


def refuse_overwriting(store: ObjectStore) -> None:
    """Create one object twice: the second time must be refused, and the first bytes stay.

    Servers of S3's kind that ignore `If-None-Match` answer like any other until a request is lost
    or two runs have one lease. Cost: a few small objects' calls.

    Raises:
        SettingsError: the store overwrote it.
    """
    key, first = f"{FOLDER}{uuid.uuid4().hex}", b"first"
    try:
        created = store.put_if_absent(key, first)
        overwritten = store.put_if_absent(key, b"second")
        kept = store.get(key)
    finally:
        store.delete(key)
    if not created or overwritten or kept != first:
        raise SettingsError(
            f"{store.uri} overwrites objects although they must be created only once (its server "
            "ignores If-None-Match), so that requests would be lost; set EXPUNGE_STORE to a server "
            "that honours it, or to a directory."
        )
