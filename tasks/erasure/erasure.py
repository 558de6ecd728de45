"""Erase a batch's rows from a table for good, and tell the models that were trained on it."""

import logging

from tasks.attempts.planning import keep_untouched
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.effects import Facts, once
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import enrolled_models, subject_columns
from tasks.records.certified_models import note_out_of_service
from tasks.registry.services import Services
from tasks.subjects import late_holds
from tasks.subjects.reappearance import known_count, look
from tasks.subjects.resolution import is_closed, located_subjects, matches
from tasks.tables import absence_scan, transaction_log
from tasks.tables.delta import (
    count_rows,
    delete_rows,
    deletions,
    has_rows,
    is_readable,
    is_table,
    leftover_files,
    matching,
    open_table,
    refuse_links,
    remove_old_versions,
    vacuum,
)
from unlearning.errors import ConflictError, DataError
from unlearning.policy.digests import SHORT, bytes_digest

log = logging.getLogger("expunge.erasure")

_PASSES = 5
"""Deletions in a row before a table that others write to is given up on."""


def erase_rows(services: Services, batch: str, uri: str) -> Facts:
    """Delete the batch's rows from one table, once; the row arithmetic is checked afterwards.

    Rows of the subjects that others append meanwhile are deleted too. Those that come after that,
    but before the batch begins to certify, make another round.

    Raises:
        ConflictError: they are appended faster than they can be deleted.
        DataError: rows are missing, or too many are left; or a link leads to rows elsewhere.
    """
    refuse_links(services.settings, uri)
    rows = _Rows(services, batch, uri)
    erased = _rounds(services, batch, uri, "RowsErased")
    number = len(erased) + 1
    if erased and not _is_due(services, batch, rows, number):
        return erased[-1]
    table = open_table(services.settings, uri)
    plan = {"table": uri, "version_before": table.version(), "rows_before": count_rows(table)}

    def find(planned: Facts) -> Facts | None:
        return None if rows.are_there() else _arithmetic(services, uri, rows.mark, planned)

    facts = once(
        services.journal,
        batches.stream(batch),
        key=_key("erased", uri, number),
        event="RowsErased",
        plan=plan,
        find=find,
        make=lambda _: rows.delete(),
    )
    log.info("%s: erased %d rows", uri, facts["rows_matched"])
    return facts


def purge_files(services: Services, batch: str, uri: str) -> Facts:
    """Remove every file, object version and log entry that tells of erased rows, once; look again.

    Raises:
        DataError: an erased id still stands in an object of the table, or a link may lead to one.
    """
    # The vacuum would remove the links and leave what they lead to.
    refuse_links(services.settings, uri)
    rows = _Rows(services, batch, uri)

    def find(planned: Facts) -> Facts | None:
        if (
            leftover_files(services.settings, uri)
            or rows.are_there()
            or transaction_log.names_people(services.settings, uri, rows.column)
        ):
            return None
        # Whoever had no rows is looked for as well: the certificate says so.
        found = absence_scan.search(
            services.settings, uri, rows.column, batches.subjects(services, batch)
        )
        absence_scan.check(found, uri)
        table = open_table(services.settings, uri)
        return {
            "table": uri,
            "files_removed": planned["files_found"],
            "leftover_files": 0,
            "objects_searched": found.objects,
            "bytes_searched": found.size,
            "ids_searched": found.ids,
            "ids_searched_as_words": found.words,
            "hits": len(found.hits),
            "version": table.version(),
            "rows": count_rows(table),
        }

    def make(_: Facts) -> None:
        if rows.are_there():
            log.warning("%s: rows of erased subjects were appended again; deleting them", uri)
            rows.delete()
        vacuum(services.settings, uri)
        if transaction_log.names_people(services.settings, uri, rows.column):
            transaction_log.trim(services.settings, uri)
        remove_old_versions(services.settings, uri)

    return once(
        services.journal,
        batches.stream(batch),
        key=_key("purged", uri, len(_rounds(services, batch, uri, "RowsErased")) or 1),
        event="FilesPurged",
        plan={"table": uri, "files_found": leftover_files(services.settings, uri)},
        find=find,
        make=make,
    )


class _Rows:
    """The rows of a batch's subjects in one table, of those that it found somewhere.

    Who had none anywhere, and is delivered meanwhile, must be found by a search first: what is
    deleted without one is on no list and in no certificate.
    """

    def __init__(self, services: Services, batch: str, uri: str) -> None:
        self._services, self._batch, self.uri = services, batch, uri
        self.column = _column(services, batch, uri)
        self.subjects = located_subjects(services, batch)
        self.mark = f"{batch}/{_key('erased', uri)}"
        self._without: int | None = None

    def are_there(self) -> bool:
        """Whether the newest version has any; a version that had none is not read again."""
        table = open_table(self._services.settings, self.uri)
        if table.version() == self._without:
            return False
        found = has_rows(table, matching(table, self.column, self.subjects), self.column)
        self._without = None if found else table.version()
        return found

    def delete(self) -> None:
        """Delete them until none is left: others may append while a deletion runs."""
        for _ in range(_PASSES):
            late_holds.refuse_held(self._services, self._batch)
            delete_rows(self._services.settings, self.uri, self.column, self.subjects, self.mark)
            if not self.are_there():
                return
        raise ConflictError(
            f"Rows of erased subjects are appended to {self.uri} again and again; stop the job "
            "that writes them, then run again."
        )


def advance_models(services: Services, batch: str, uri: str) -> list[str]:
    """Point every model trained on this table to its new snapshot; returns their names."""
    purged = _rounds(services, batch, uri, "FilesPurged")
    if not purged:
        raise DataError(f"The files of {uri} were not purged yet; run the batch from its start.")
    note_out_of_service(services, batch, uri)
    version = purged[-1]["version"]
    affected = [e for e in enrolled_models(services.journal) if e.dataset.uri == uri]
    # A later batch, or an enrolment, may have pointed a model further: no way leads back, for the
    # files of older snapshots are gone.
    behind = [e for e in affected if e.dataset_version <= version]
    # First the journal, for every model: other batches go on from it while MLflow is away.
    advanced = [(e, _advance(services, batch, e, version, len(purged))) for e in behind]
    for enrollment, facts in advanced:
        tags = {
            "expunge.dataset_version": str(facts["dataset_version"]),
            "expunge.dataset_rows": str(facts["row_count"]),
        }
        if not enrollment.is_withdrawn:  # its version may be purged by now
            services.registry.tag_version(enrollment.model, enrollment.version, tags)
    return [e.model for e in affected]


def _advance(
    services: Services, batch: str, enrollment: Enrollment, version: int, number: int
) -> Facts:
    """Record the model's new snapshot, once; the table as it is, if it was purged again since."""
    spec = enrollment.dataset
    event_id = f"{batch}/{_key('advanced', spec.uri, number)}"
    done = services.journal.find(model_stream(enrollment.model), event_id)
    if done is not None:
        return done.facts
    readable = version if is_readable(services.settings, spec.uri, version) else None
    found = look(services, spec.uri, spec.subject, readable)
    facts = {
        "dataset_version": found.version,
        "row_count": known_count(services, enrollment, found),
        "fingerprint": found.fingerprint,
        "batch": batch,
    }
    # The batch's other tables ask for it.
    keep_untouched(services, batch, enrollment, found.version)
    entry = journal.Entry(model_stream(enrollment.model), event_id, "SnapshotAdvanced", facts)
    return services.journal.append(entry).facts


def tables_of(services: Services, batch: str) -> list[str]:
    """The tables in which the batch has rows to erase, or began to erase some.

    One that is no more, and that no model is enrolled on, holds up nothing: people are called, and
    certificates say that nothing was erased there.
    """
    wanted = {d.record_id for d in batches.accepted(services, batch)}
    # A table whose every request was withheld since for rows in another one: what was deleted
    # from it must still go from its files.
    begun = {
        e.facts["table"]
        for e in services.journal.read(batches.stream(batch))
        if e.facts.get("effect") == "RowsErased"
    }
    found = [m.uri for m in matches(services, batch) if m.uri in begun or wanted & set(m.rows)]
    return [uri for uri in found if not _is_gone(services, batch, uri)]


def _is_gone(services: Services, batch: str, uri: str) -> bool:
    """Whether the table is no more, which is recorded; one that models need is only away."""
    stream_, key = batches.stream(batch), _key("gone", uri)
    if _rounds(services, batch, uri, "FilesPurged"):
        return False
    if services.journal.find(stream_, key) is None:
        if is_table(services.settings, uri) or uri in subject_columns(services.journal):
            return False
        log.error(
            "ALARM: %s, in which batch %s found rows, is no more, and no model is enrolled on it; "
            "nothing is erased there. Find out where its files went.",
            uri,
            batch,
        )
        services.journal.append(journal.Entry(stream_, key, "TableGone", {"table": uri}))
    return True


def _arithmetic(services: Services, uri: str, mark: str, planned: Facts) -> Facts:
    """Rows before, deleted and after, by the commits that deleted them.

    Others may have written before, between and after these commits, so each one is compared with
    the version right before it, as long as that has its files.
    """
    now = open_table(services.settings, uri)
    deleted = deletions(now, mark, planned["version_before"])
    for version, count in deleted.items():
        _check_commit(services, uri, version, count)
    first, last = min(deleted, default=now.version() + 1), max(deleted, default=now.version())
    after, matched = count_rows(open_table(services.settings, uri, last)), sum(deleted.values())
    before = after + matched
    if is_readable(services.settings, uri, first - 1):
        before = count_rows(open_table(services.settings, uri, first - 1))
    return {
        "table": uri,
        "version_before": first - 1,
        "rows_before": before,
        "rows_matched": matched,
        "rows_appended": after - before + matched,
        "version_after": last,
        "rows_after": after,
        "rows_matched_after": 0,
    }


def _check_commit(services: Services, uri: str, version: int, count: int) -> None:
    if not is_readable(services.settings, uri, version - 1):
        return  # another batch purged the table since
    before, after = (
        count_rows(open_table(services.settings, uri, v)) for v in (version - 1, version)
    )
    if after != before - count:
        raise DataError(
            f"{uri} had {before} rows, {count} matched, {after} are left; stop and restore "
            f"version {version - 1}."
        )


def _column(services: Services, batch: str, uri: str) -> str:
    return next(m.column for m in matches(services, batch) if m.uri == uri)


def _rounds(services: Services, batch: str, uri: str, event: str) -> list[Facts]:
    """What such an effect of the batch on the table said, in each of its rounds."""
    events = services.journal.read(batches.stream(batch))
    return [e.facts for e in events if e.name == event and e.facts["table"] == uri]


def _is_due(services: Services, batch: str, rows: _Rows, number: int) -> bool:
    """Whether there is another round to make, or one to finish."""
    if is_closed(services, batch):  # who is delivered again by now is asked for anew, by a replay
        return False
    intent = f"{_key('erased', rows.uri, number)}/intent"
    return services.journal.find(batches.stream(batch), intent) is not None or rows.are_there()


def _key(step: str, uri: str, number: int = 1) -> str:
    key = f"{step}/{bytes_digest(uri.encode())[:SHORT]}"
    return key if number == 1 else f"{key}/{number}"
