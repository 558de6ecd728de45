"""Erase a batch's rows from a table for good, and tell the models that were trained on it."""

import logging
from typing import Any

from tasks import batches, journal, registry
from tasks.certified_models import note_out_of_service
from tasks.effects import Facts, once
from tasks.enrollment import enrolled_models, stream
from tasks.object_store import ObjectStore
from tasks.resolution import matches
from tasks.tables import (
    count_rows,
    delete_rows,
    leftover_files,
    matching,
    open_table,
    vacuum,
)
from unlearning.errors import DataError
from unlearning.lineage import SHORT, bytes_digest

log = logging.getLogger("expunge.erasure")


def erase_rows(store: ObjectStore, batch: str, uri: str) -> dict[str, Any]:
    """Delete the batch's rows from one table, once; the row arithmetic is checked afterwards."""
    column = _column(store, batch, uri)
    subjects = batches.subjects(store, batch)

    def matched(table: Any) -> int:
        return count_rows(table, matching(table, column, subjects))

    table = open_table(uri)
    plan = {
        "table": uri,
        "version_before": table.version(),
        "rows_before": count_rows(table),
        "rows_matched": matched(table),
    }

    def find(planned: Facts) -> Facts | None:
        now = open_table(uri)
        if matched(now):
            return None
        facts = {k: planned[k] for k in plan}
        facts |= {"version_after": now.version(), "rows_after": count_rows(now)}
        facts["rows_matched_after"] = matched(now)
        _check_arithmetic(facts)
        return facts

    def make(_: Facts) -> None:
        batches.refuse_held(store, batch)
        delete_rows(uri, column, subjects)

    facts = once(
        store,
        batches.stream(batch),
        key=_key("erased", uri),
        event="RowsErased",
        plan=plan,
        find=find,
        make=make,
    )
    log.info("%s: erased %d rows", uri, facts["rows_matched"])
    return facts


def purge_files(store: ObjectStore, batch: str, uri: str) -> dict[str, Any]:
    """Remove every file and object version that still holds erased rows, once, and look again."""

    def find(planned: Facts) -> Facts | None:
        if leftover_files(uri):
            return None
        table = open_table(uri)
        return {
            "table": uri,
            "files_removed": planned["files_found"],
            "leftover_files": 0,
            "version": table.version(),
            "rows": count_rows(table),
        }

    return once(
        store,
        batches.stream(batch),
        key=_key("purged", uri),
        event="FilesPurged",
        plan={"table": uri, "files_found": leftover_files(uri)},
        find=find,
        make=lambda _: vacuum(uri),
    )


def advance_models(store: ObjectStore, batch: str, uri: str) -> list[str]:
    """Point every model trained on this table to its new snapshot; returns their names."""
    purged = journal.find(store, batches.stream(batch), _key("purged", uri))
    if purged is None:
        raise DataError(f"The files of {uri} were not purged yet; run the batch from its start.")
    version, rows = purged.facts["version"], purged.facts["rows"]
    note_out_of_service(store, batch, uri)
    affected = [e for e in enrolled_models(store) if e.dataset.uri == uri]
    for enrollment in affected:
        facts = {"dataset_version": version, "row_count": rows, "batch": batch}
        event_id = f"{batch}/{_key('advanced', uri)}"
        journal.append(
            store, journal.Entry(stream(enrollment.model), event_id, "SnapshotAdvanced", facts)
        )
        tags = {"expunge.dataset_version": str(version), "expunge.dataset_rows": str(rows)}
        if not enrollment.is_withdrawn:  # its version may be purged by now
            registry.tag_version(enrollment.model, enrollment.version, tags)
    return [e.model for e in affected]


def tables_of(store: ObjectStore, batch: str) -> list[str]:
    """The tables in which the batch has rows to erase."""
    wanted = {d.record_id for d in batches.accepted(store, batch)}
    return [m.uri for m in matches(store, batch) if wanted & set(m.rows)]


def _check_arithmetic(facts: Facts) -> None:
    # With other commits in between, rows may have come or gone for other reasons.
    alone = facts["version_after"] <= facts["version_before"] + 1
    if alone and facts["rows_after"] != facts["rows_before"] - facts["rows_matched"]:
        raise DataError(
            f"{facts['table']} had {facts['rows_before']} rows, {facts['rows_matched']} matched, "
            f"{facts['rows_after']} are left; stop and restore version {facts['version_before']}."
        )


def _column(store: ObjectStore, batch: str, uri: str) -> str:
    return next(m.column for m in matches(store, batch) if m.uri == uri)


def _key(step: str, uri: str) -> str:
    return f"{step}/{bytes_digest(uri.encode())[:SHORT]}"
