"""Which pseudonym key a store is kept under, once it was rotated: whoever opens it compares first.

keys/<number>.json is a rotation that is over, and holds a check of the key that has been in use
since. keys/rotation.json is one under way, and keys/map.json what it makes of each old pseudonym.
"""

import json
from collections.abc import Callable

from tasks.store.objects import ObjectStore
from unlearning.errors import SettingsError
from unlearning.policy.digests import pseudonym

PREFIX = "keys/"
UNDER_WAY = f"{PREFIX}rotation.json"
MAP = f"{PREFIX}map.json"
_CHECK = "\0the key of the suppression list"
"""No subject id can be this: ids hold no control characters."""


def check_of(secret: bytes) -> str:
    """What tells a key from another one, and nothing else."""
    return pseudonym(secret, _CHECK)


def rotation_key(count: int) -> str:
    """Where the end of the rotation to so many keys is on record."""
    return f"{PREFIX}{count:06d}.json"


def refuse_other_key(store: ObjectStore, secret: Callable[[], bytes]) -> None:
    """Let nobody use the store under a key of before, nor while its key is rotated.

    Raises:
        SettingsError: the key is another one, or not rotated to its end.
    """
    found = [info.key for info in store.list_objects(PREFIX)]
    if UNDER_WAY in found:
        raise SettingsError(
            f"The pseudonym key of {store.uri} is being rotated; wait until `expunge rotate-key` "
            "ends, or run it again if it was stopped."
        )
    rotations = [key for key in found if key != MAP]
    if rotations and json.loads(store.get(rotations[-1]))["check"] != check_of(secret()):
        raise SettingsError(
            f"The store {store.uri} is kept under another EXPUNGE_PSEUDONYM_KEY since its key was "
            "rotated; set all its keys, oldest first, with commas between them."
        )
