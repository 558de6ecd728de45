"""Which objects the rows of a batch pointed to, written down before the rows are deleted.

An address may hold the id of a person, so the lists lie below `requests/`, and go with them once
the batch is closed: requests/objects/<batch>/<number>.json.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

from tasks.registry.services import Services
from tasks.store.objects import ObjectStore
from unlearning.errors import ConflictError

_FOLDER = "requests/objects/"


@dataclass(frozen=True, slots=True)
class ObjectList:
    """Keys of objects below one prefix that rows of one table pointed to."""

    number: int
    prefix: str
    table: str
    keys: tuple[str, ...]


def keep_list(
    services: Services, batch: str, prefix: str, table: str, keys: Collection[str]
) -> None:
    """Write down the keys under the batch's next number; nothing if there are none.

    Raises:
        ConflictError: another run did so at the same moment.
    """
    if not keys:
        return
    number = len(_keys(services.store, batch)) + 1
    made = ObjectList(number, prefix, table, tuple(sorted(keys)))
    if not services.store.put_if_absent(_key(batch, number), json.dumps(asdict(made)).encode()):
        raise ConflictError(f"Another run is at work on batch {batch}; run again.")


def object_lists(services: Services, batch: str) -> Iterator[ObjectList]:
    """What was written down, in the order of the numbers."""
    for key in _keys(services.store, batch):
        kept = json.loads(services.store.get(key))
        yield ObjectList(kept["number"], kept["prefix"], kept["table"], tuple(kept["keys"]))


def batches_with_lists(services: Services) -> list[str]:
    """Batches of which lists are kept, by name."""
    found = services.store.list_objects(_FOLDER)
    return sorted({info.key.removeprefix(_FOLDER).partition("/")[0] for info in found})


def drop_lists(services: Services, batch: str) -> None:
    """Delete the lists of a batch that needs them no more, the last first."""
    for key in reversed(_keys(services.store, batch)):
        services.store.delete(key)


def _key(batch: str, number: int) -> str:
    return f"{_FOLDER}{batch}/{number:06d}.json"


def _keys(store: ObjectStore, batch: str) -> list[str]:
    return [info.key for info in store.list_objects(f"{_FOLDER}{batch}/")]
