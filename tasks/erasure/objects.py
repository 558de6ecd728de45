"""Objects gone that only the rows of a batch pointed to: every version of each, and the proof."""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tasks.erasure.addresses import pending, pointing_tables
from tasks.intake.object_lists import object_lists
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.objects import ObjectErasureIntended, ObjectsErased
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.store.kept_versions import versions_left
from tasks.tables.delta import open_table
from tasks.tables.object_places import ObjectPlace, pointed, unnamed
from tasks.tables.object_readiness import refuse_undeletable
from unlearning.policy.counted import counted

log = logging.getLogger("expunge.erasure")

_AT_ONCE, _FEW = 16, 100


def erase_objects(services: Services, batch: str) -> None:
    """Delete the objects that deleted rows of the batch pointed to, once; look that they are gone.

    Rows go first, so that whoever points to an object now is somebody else: it is left to them, and
    counted as shared. What the rows pointed to is known by the batch's lists until then. Rows that
    come after that make another round.

    Raises:
        DataError: an object cannot be deleted, or a table that may point to it cannot be read.
    """
    while lists := pending(services, batch):
        prefix = min(one.prefix for one in lists)
        last = max(one.number for one in lists if one.prefix == prefix)
        done = _erase(services, batch, prefix, last)
        log.info("%s: erased %s", prefix, counted(done.erased, "object"))


def _erase(services: Services, batch: str, prefix: str, last: int) -> ObjectsErased:
    rounds = [one for one in read_batch(services.journal, batch).objects if one.prefix == prefix]
    work = _Round(services, batch, prefix, max((one.lists for one in rounds), default=0))
    keys, _ = work.listed(last)
    return once(
        services.journal,
        batch_stream(batch),
        key=ids.erased_objects(prefix, len(rounds) + 1),
        plan=ObjectErasureIntended(prefix=prefix, lists=last, found=len(work.there(keys))),
        find=work.outcome,
        make=work.delete,
    )


class _Round:
    """Objects below a prefix that lists after the first few point to."""

    def __init__(self, services: Services, batch: str, prefix: str, after: int) -> None:
        self._services, self._batch, self._after = services, batch, after
        self._place = ObjectPlace(services.settings, prefix)

    def listed(self, last: int) -> tuple[list[str], tuple[str, ...]]:
        """Their keys up to this list, and the tables of which rows pointed to them."""
        mine = [
            one
            for one in object_lists(self._services, self._batch)
            if one.prefix == self._place.prefix and self._after < one.number <= last
        ]
        keys = sorted({key for one in mine for key in one.keys})
        return keys, tuple(sorted({one.table for one in mine}))

    def there(self, keys: Collection[str]) -> list[str]:
        """Those of which any version or delete marker is left."""
        with unnamed(), ThreadPoolExecutor(_AT_ONCE) as pool:
            left = pool.map(partial(versions_left, self._place.store), keys)
            return [key for key, count in zip(keys, left, strict=True) if count]

    def outcome(self, planned: ObjectErasureIntended) -> ObjectsErased | None:
        """What is gone; None while there is something left to delete."""
        keys, tables = self.listed(planned.lists)
        left, shared = self.there(keys), self._shared(keys)
        if not shared.issuperset(left):
            return None
        return ObjectsErased(
            prefix=self._place.prefix,
            tables=tables,
            lists=planned.lists,
            erased=max(0, planned.found - len(left)),
            shared=len(left),
            missing=len(keys) - planned.found,
        )

    def delete(self, planned: ObjectErasureIntended) -> None:
        """Every version of every object to which no row points any more."""
        keys, _ = self.listed(planned.lists)
        shared = self._shared(keys)
        mine = [key for key in self.there(keys) if key not in shared]
        refuse_undeletable(self._place, mine)
        lease.check(self._services.store)
        with unnamed(), ThreadPoolExecutor(_AT_ONCE if len(mine) > _FEW else 1) as pool:
            for _ in pool.map(self._place.store.delete, mine):
                pass

    def _shared(self, keys: Collection[str]) -> set[str]:
        """Those to which rows point that are there, in whichever table.

        Cost: a pass over the columns of addresses of all tables.
        """
        settings = self._services.settings
        wanted = {self._place.address(key): key for key in keys}
        found: set[str] = set()
        for uri, one in pointing_tables(self._services):
            place = ObjectPlace(settings, one.prefix)
            there = pointed(open_table(settings, uri), one, place).keys
            found |= wanted.keys() & set(map(place.address, there))
        return {wanted[address] for address in found}
