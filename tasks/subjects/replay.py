"""Erase again whom a restored backup or a repeated delivery brought back.

Nobody is erased here: whoever is back gets a request of our own, and the ordinary run answers it.
"""

import json
import logging
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tasks.intake import inbox
from tasks.intake.batches import pseudonyms
from tasks.intake.request_files import parse
from tasks.journal import journal
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.store.pseudonym_keys import refuse_other_key
from tasks.subjects.list_check import refuse_incomplete
from tasks.subjects.reappearance import (
    TableScan,
    raw_ids,
    scan_table,
)
from tasks.subjects.returned import (
    note_waiting,
    noted_tables,
    open_replays,
    record_decision,
    refuse_undecidable,
    waiting_in,
)
from tasks.subjects.tied_tables import open_searched, searched_columns
from unlearning.errors import DataError, RequestError
from unlearning.policy.counted import counted
from unlearning.policy.deletion import replay_id
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.subject_kinds import SubjectColumn

log = logging.getLogger("expunge.replay")

_NAME = "replay-"
"""How files of our own requests begin."""


@dataclass(frozen=True, order=True, slots=True)
class SearchedTable:
    """A version of a table to look for erased subjects in; None is its newest."""

    uri: str
    column: SubjectColumn
    version: int | None = None


def request_replays(services: Services) -> int:
    """Write a request for each erased subject whose rows are back in a table; returns for how many.

    Who is back in any table with other rows than were erased waits for a person, and is asked for
    in none (`tasks.subjects.returned`): a request is answered in every table.

    Whoever has an open request already, for example because a legal hold names them, gets none. The
    same state of the tables and of the suppression list gives the same ids, so that a second call
    writes nothing.
    """
    refuse_incomplete(services)
    scans = _scans(services)
    waiting = _note(services, _waiting(services, scans))
    return sum(
        _request(services, table, found, found.rows.keys() - waiting)
        for table, found in scans.items()
    )


def find_waiting(services: Services, *, is_noted: bool = False) -> set[str]:
    """Pseudonyms of the erased subjects who are back with new rows, as the tables are now.

    `is_noted` is for `expunge status`, and keeps our own requests for them waiting. Cost: a pass
    over the subject column of every table that changed since it was looked at.
    """
    found = _waiting(services, _scans(services))
    return _note(services, found) if is_noted else _all(found)


def _scans(services: Services) -> dict[SearchedTable, TableScan]:
    return {
        table: scan_table(services, table.uri, table.column, table.version)
        for table in sorted(_searched_tables(services), key=str)
    }


def _waiting(
    services: Services, scans: dict[SearchedTable, TableScan]
) -> dict[str, dict[str, int]]:
    """Who waits for a person, by table, with their rows."""
    waiting: dict[str, dict[str, int]] = {}
    for table, found in scans.items():
        here = waiting.setdefault(table.uri, {})
        for who in waiting_in(services, table.uri, table.column, found):
            here[who] = max(found.rows[who], here.get(who, 0))
    return waiting


def _note(services: Services, waiting: dict[str, dict[str, int]]) -> set[str]:
    closed = noted_tables(services) - searched_columns(services).keys() - waiting.keys()
    for uri, rows in [*waiting.items(), *((uri, dict[str, int]()) for uri in sorted(closed))]:
        note_waiting(services, uri, dict(sorted(rows.items())))
    return _all(waiting)


def _all(waiting: dict[str, dict[str, int]]) -> set[str]:
    return {who for rows in waiting.values() for who in rows}


def erase_again(services: Services, who: str, *, name: str, reason: str) -> int:
    """Write a request for an erased subject, given by pseudonym, who is back; how many tables.

    One of our own that waits for somebody to decide goes on instead, in the next run.

    Raises:
        SettingsError: there is no name, or no reason.
        DataError: the subject is not on the suppression list, or has no rows.
    """
    told = refuse_undecidable(services, who, name=name, reason=reason)
    count = 0
    for table in sorted(_searched_tables(services), key=str):
        found = scan_table(services, table.uri, table.column, table.version)
        if who in found.rows:
            count += _request(services, table, found, frozenset({who}))
    if not (count or open_replays(services, who)):
        raise DataError(f"Subject {who} has no row in any table, or is asked for already.")
    record_decision(services, told, "erase", name=name, reason=reason)
    return count


def _searched_tables(services: Services) -> set[SearchedTable]:
    """Every table that any model was ever enrolled with, and snapshots learned with erased rows.

    What only former enrolments name and nobody can open is told by `why_unsearched`.
    """
    columns = searched_columns(services)
    found = {
        SearchedTable(uri, column)
        for uri, column in columns.items()
        if open_searched(services, uri) is not None
    }
    for enrollment in enrolled_models(services.journal):
        column = enrollment.dataset.who
        if enrollment.relearned and not enrollment.is_withdrawn:
            found.add(SearchedTable(enrollment.dataset.uri, column, enrollment.dataset_version))
    return found


def _request(
    services: Services, table: SearchedTable, found: TableScan, among: AbstractSet[str]
) -> int:
    back = frozenset(among - _asked_for(services)) if among else frozenset()
    if not back:
        return 0
    log.error(
        "ALARM: %s holds %s of %s erased before; requests are written.",
        table.uri,
        counted(sum(found.rows[who] for who in back), "row"),
        counted(len(back), "subject"),
    )
    now = journal.now().isoformat(timespec="seconds")
    state = facts_digest({"fingerprint": found.fingerprint, "list": found.listed})[:SHORT]
    raw = raw_ids(services, table.uri, table.column, found.version, back)
    lines = [
        {
            "request_id": replay_id(who, state),
            "subject_id": subject,
            "received_at": now,
            "subject_kind": table.column.kind,
        }
        for subject, who in pseudonyms(services, raw, table.column.kind).items()
    ]
    refuse_other_key(services.store, services.settings.pseudonym_secret)
    name = facts_digest({"requests": sorted(line["request_id"] for line in lines)})[:SHORT]
    # Another run may have been quicker, with the same requests at another moment.
    services.store.put_if_absent(
        f"{inbox.SUBMITTED}{_NAME}{name}.jsonl",
        "\n".join(json.dumps(line) for line in lines).encode(),
    )
    return len(back)


def _asked_for(services: Services) -> set[str]:
    """Pseudonyms of everybody with an open request, or with one of ours that no run has taken."""
    subjects = {event.facts.subject for _, event in services.journal.open_requests()}
    ours = f"{inbox.SUBMITTED}{_NAME}"
    for info in inbox.new_files(services):
        if info.key.startswith(ours):
            subjects |= _named(info.key, services.store.get(info.key))
    return subjects


def _named(key: str, data: bytes) -> set[str]:
    """Pseudonyms in the request ids of a file; a file that is not ours may hold anything."""
    try:
        named = [str(row.fields.get("request_id")) for row in parse(key, data)]
    except RequestError:
        return set()
    return {found[1] for one in named if (found := re.match(replay_id(r"([0-9a-f]+)", ""), one))}
