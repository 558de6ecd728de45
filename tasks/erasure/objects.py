"""Objects gone that only the rows of a batch pointed to: every version of each, and the proof."""

import logging
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tasks.enrolling.objects import refuse_unfit_place
from tasks.erasure.addresses import pending
from tasks.erasure.pointers import shared, versions_of
from tasks.intake.object_lists import object_lists
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.objects import ObjectErasureIntended, ObjectsErased
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.store.kept_versions import erase, versions_left
from tasks.tables.object_places import ObjectPlace, unnamed
from tasks.tables.object_readiness import refuse_undeletable
from unlearning.policy.counted import counted

log = logging.getLogger("expunge.erasure")

_AT_ONCE, _FEW, _AT_A_TIME = 16, 100, 1000


def erase_objects(services: Services, batch: str) -> None:
    """Delete the objects that deleted rows of the batch pointed to, once; look that they are gone.

    Rows go first, so that whoever points to an object now is somebody else: it is left to them, and
    counted as shared. What the rows pointed to is known by the batch's lists until then. Rows that
    come after that make another round.

    Raises:
        DataError: an object cannot be deleted, or it cannot be shown that no row points to it.
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
        left = self.there(keys)
        if not self._shared(left).issuperset(left):
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
        """Every version of every object to which no row points any more, some at a time.

        Others write meanwhile: where a table has another version than the one that was looked at,
        it is looked at anew.
        """
        keys, _ = self.listed(planned.lists)
        refuse_unfit_place(self._services, self._place)
        left = self.there(keys)
        seen, kept = self._look(left)
        refuse_undeletable(self._place, [key for key in left if key not in kept])
        for start in range(0, len(left), _AT_A_TIME):
            lease.check(self._services.store)
            if versions_of(self._services) != seen:
                seen, kept = self._look(left)
            self._remove([key for key in left[start : start + _AT_A_TIME] if key not in kept])

    def _look(self, keys: Collection[str]) -> tuple[dict[str, int], set[str]]:
        seen = versions_of(self._services)  # before the look: whoever writes during it is noticed
        return seen, self._shared(keys)

    def _remove(self, keys: Collection[str]) -> None:
        with unnamed(), ThreadPoolExecutor(_AT_ONCE if len(keys) > _FEW else 1) as pool:
            for _ in pool.map(partial(erase, self._place.store), keys):
                pass

    def _shared(self, keys: Collection[str]) -> set[str]:
        """Those of the keys that are there, and to which rows point."""
        return shared(self._services, self._place, keys) if keys else set()
