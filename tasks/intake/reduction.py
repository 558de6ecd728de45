"""Nothing is kept of whom a request named once it is answered and its batch is closed.

What later steps need of it are ids of records and pseudonyms, which stand elsewhere. Rows of open
requests stay. What was unusable stays for its sender, for `quarantine_days`.
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta

from tasks.intake import batches, inbox, kept_rows, never_begun, object_lists, quarantine
from tasks.intake.kept_rows import RequestFile, file_of
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.event import Event
from tasks.journal.events.reduction import (
    QuarantineEmptied,
    QuarantineEmptyingIntended,
    ReductionIntended,
    RequestsReduced,
)
from tasks.journal.events.requests import RequestFact
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.policy.deletion import is_open
from unlearning.policy.digests import bytes_digest

log = logging.getLogger("expunge.reduction")

_UNREADABLE = "-file"
"""How the one record of a file ends that could not be read."""


def has_work(services: Services) -> bool:
    """Whether more is kept than may be: of closed batches, or of some that never began."""
    left = _unreduced(services) or _past_their_days(services) or never_begun.left_of_none(services)
    return bool(left or _listed(services))


def reduce_closed(services: Services) -> int:
    """Delete what is kept of answered requests in closed batches; returns in how many.

    What a run left that died before its batch began goes as well.

    A request's own file goes from `requests/incoming/` as well, with every version that a bucket
    keeps of it, unless its sender has written another one under its name since.
    """
    never_begun.drop(services)
    unreduced = _unreduced(services)
    for batch in unreduced:
        _reduce(services, batch)
    for batch in _past_their_days(services):
        _empty_quarantine(services, batch)
    for batch in _listed(services):
        object_lists.drop_lists(services, batch)
    for file_id in kept_rows.files_with_open_rows(services):
        rows = kept_rows.open_rows(services, file_id)
        left = _still_open(services, list(rows))
        if left < set(rows):
            kept_rows.keep_open(services, file_id, {r: rows[r] for r in sorted(left)})
    if unreduced:
        log.info("Request files of %d batches reduced to what is open", len(unreduced))
    return len(unreduced)


def _unreduced(services: Services) -> list[str]:
    return [b for b in inbox.batches_with_files(services) if _is_closed(services, b, reduced=False)]


def _listed(services: Services) -> list[str]:
    """Closed batches of which it is still on record what their rows pointed to."""
    kept = object_lists.batches_with_lists(services)
    return [b for b in kept if read_batch(services.journal, b).status == "closed"]


def _past_their_days(services: Services) -> list[str]:
    kept = {*inbox.batches_with_files(services), *quarantine.kept_batches(services)}
    days = timedelta(days=services.settings.quarantine_days)
    return [
        batch
        for batch in sorted(kept)
        if _is_closed(services, batch, reduced=True)
        and datetime.fromisoformat(read_batch(services.journal, batch).began_at) + days
        <= journal.now()
    ]


def _is_closed(services: Services, batch: str, *, reduced: bool) -> bool:
    history = read_batch(services.journal, batch)
    return history.status == "closed" and (ids.REDUCED in history.event_ids) is reduced


def _reduce(services: Services, batch: str) -> None:
    usable, unusable = _files(services, batch)

    def make(_: ReductionIntended) -> None:
        left = _still_open(services, [d.record_id for d in batches.dispositions(services, batch)])
        for file in usable:
            mine = {record for record in left if file_of(record) == file.file_id}
            if mine:
                kept = {r.record_id: r.row.fields for r in kept_rows.records_of(services, file)}
                kept_rows.keep_open(services, file.file_id, {r: kept[r] for r in sorted(mine)})
            _forget(services, batch, file)
        inbox.leave_files(services, batch, unusable)

    def find(intended: ReductionIntended) -> RequestsReduced | None:
        left, _ = _files(services, batch)
        is_named = batch in inbox.batches_with_files(services) and not unusable
        return None if left or is_named else RequestsReduced(files=intended.files)

    once(
        services.journal,
        batch_stream(batch),
        key=ids.REDUCED,
        plan=ReductionIntended(files=len(usable)),
        find=find,
        make=make,
    )


def _empty_quarantine(services: Services, batch: str) -> None:
    def make(_: QuarantineEmptyingIntended) -> None:
        for file in inbox.left_files(services, batch):
            _forget(services, batch, file)
        quarantine.drop(services, batch)
        inbox.leave_files(services, batch, [])

    def find(intended: QuarantineEmptyingIntended) -> QuarantineEmptied | None:
        is_there = batch in inbox.batches_with_files(services)
        if is_there or quarantine.is_kept(services, batch):
            return None
        return QuarantineEmptied(files=intended.files)

    once(
        services.journal,
        batch_stream(batch),
        key=ids.QUARANTINE_EMPTIED,
        plan=QuarantineEmptyingIntended(files=len(inbox.left_files(services, batch))),
        find=find,
        make=make,
    )


def _files(services: Services, batch: str) -> tuple[list[RequestFile], list[RequestFile]]:
    """The files that are kept of the batch: those that were read, and those that could not be."""
    named = {d.record_id for d in batches.dispositions(services, batch)}
    left = inbox.left_files(services, batch)
    unusable = [f for f in left if f"{f.file_id}{_UNREADABLE}" in named]
    return [f for f in left if f not in unusable], unusable


def _still_open(services: Services, records: list[str]) -> set[str]:
    """Those of the records that are not answered, or whose batch may still ask for their rows."""
    heads = services.journal.latest(records)
    return {record for record in records if not _is_over(services, heads.get(record))}


def _is_over(services: Services, event: Event[RequestFact] | None) -> bool:
    if event is None or is_open(event.status):
        return False
    return read_batch(services.journal, event.facts.batch).status == "closed"


def _forget(services: Services, batch: str, file: RequestFile) -> None:
    with suppress(MissingObjectError):  # no object can have such a name
        _delete_sent(services, file)
    kept_rows.forget_file(services, batch, file)


def _delete_sent(services: Services, file: RequestFile) -> None:
    found = [i for i in services.store.list_objects(file.key) if i.key == file.key]
    if not found:  # its sender removed it, but a bucket may keep what it was
        services.store.purge_noncurrent(file.key)
    elif found[0].version == file.version and _is_what_was_read(services, file):
        services.store.delete(file.key)


def _is_what_was_read(services: Services, file: RequestFile) -> bool:
    """Whether it holds what the batch answered; whoever copies it may keep time and size."""
    return not file.digest or bytes_digest(services.store.get(file.key)) == file.digest
