"""Go on under a new pseudonym key: whoever has the old one alone recognises nobody any more.

The order makes it safe to stop anywhere: the new key is on the disk, then the intent, then the map,
then everything is replaced, and only then the new key is in use. Until the end every other command
is refused (`tasks.store.pseudonym_keys`); calling it again ends it.
"""

import json
import logging
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tasks.intake import reduction
from tasks.journal import journal
from tasks.registry.rewriting import rewrite_texts
from tasks.registry.services import Services
from tasks.store import lease
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.pseudonym_keys import MAP, UNDER_WAY, check_of, rotation_key
from tasks.subjects.rekeying import Tokens, make_map, rekey_objects, replaced
from tasks.subjects.row_files import rekey_row_files
from unlearning.errors import ConflictError, SettingsError
from unlearning.policy.digests import KEY_BYTES, keys_of

log = logging.getLogger("expunge.rotation")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotation of the key; on record for ever."""

    by: str
    at: str
    count: int
    """How many keys there are from then on."""
    check: str
    """What tells all of them from others."""


def rotate(services: Services, *, name: str) -> bool:
    """Re-key everything; False if the new key must be set by whoever sets the variable of the old.

    Cost: four reads of every text in the store and one write of most; one pass over all files of
    rows; a look at every run and model version in MLflow.

    Raises:
        SettingsError: there is no name, or no key to go on with, or one of another rotation.
        ConflictError: another run is at work, or a batch is open.
        DataError: an object of the store is damaged.
    """
    if not name.strip():
        raise SettingsError("A key is rotated by somebody; give --by NAME.")
    if holder := lease.take(services.store):
        raise ConflictError(f"Another run ({holder}) is at work; rotate the key when it ended.")
    try:
        begun = _begun(services.store) or _begin(services, name.strip())
        return _end(services, begun)
    finally:
        lease.give_back(services.store)


def _begin(services: Services, name: str) -> Rotation:
    reduction.reduce_closed(services)
    if batch := next((batch for batch, _ in services.journal.open_batches()), ""):
        raise ConflictError(
            f"Batch {batch} is open, and its rows are known by the key that it began with; rotate "
            "the key when the batch is closed (`expunge status`)."
        )
    settings = services.settings
    secret = settings.pseudonym_secret() + settings.next_pseudonym_secret()
    keys = keys_of(secret)
    if len(set(keys)) < len(keys):
        raise SettingsError(
            "EXPUNGE_NEXT_PSEUDONYM_KEY has been in use before; set one that is new."
        )
    # What fails for good does so before the store is closed to everybody else.
    services.registry.check_registry()
    make_map(services.store, keys[-1])
    at = journal.now().isoformat(timespec="seconds")
    begun = Rotation(name, at, len(keys), check_of(secret))
    lease.check(services.store)
    services.store.put_if_absent(UNDER_WAY, json.dumps(asdict(begun)).encode())
    return _begun(services.store) or begun


def _end(services: Services, begun: Rotation) -> bool:
    store, secret = services.store, _secret_of(services, begun)
    over = rotation_key(begun.count)
    if _read(store, over) is None:  # else the map may be gone, and another one would be wrong
        tokens = _map(store, secret[-KEY_BYTES:])
        log.info("Re-keying %d pseudonyms and digests", len(tokens))
        rekey_objects(store, tokens)
        rekey_row_files(store, secret)
        rewrite_texts(services.registry, partial(replaced, tokens=tokens))
    is_kept = services.settings.keep_pseudonym_secret(secret)
    lease.check(store)
    store.put_if_absent(over, json.dumps(asdict(begun)).encode())
    store.delete(MAP)
    store.delete(UNDER_WAY)
    return is_kept


def _secret_of(services: Services, begun: Rotation) -> bytes:
    """All keys of the rotation, be the new one in use already or still the next."""
    secret = services.settings.pseudonym_secret()
    if check_of(secret) != begun.check:
        secret += services.settings.next_pseudonym_secret()
    if check_of(secret) != begun.check:
        raise SettingsError(
            "The key is being rotated to another one than is set; set the keys that the rotation "
            "began with, then run again."
        )
    return secret


def _map(store: ObjectStore, key: bytes) -> Tokens:
    """The map of the rotation, made before anything is replaced and read ever after."""
    known = _read(store, MAP)
    if known is None:
        store.put_if_absent(MAP, json.dumps(make_map(store, key)).encode())
    return known or _read(store, MAP) or {}


def _begun(store: ObjectStore) -> Rotation | None:
    found = _read(store, UNDER_WAY)
    return Rotation(**found) if found else None


def _read(store: ObjectStore, key: str) -> dict[str, Any] | None:
    try:
        return json.loads(store.get(key))
    except MissingObjectError:
        return None
