"""Requests whose id is nearly that of rows which they do not name, or theirs in another kind alone.

A person says who was meant.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator

from tasks.intake import batches, inbox
from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream, request_stream
from tasks.journal.events.requests import RequestSettled, RequestUnclear, told_because
from tasks.journal.events.withheld import NearMatch, NearMatchesSought
from tasks.journal.journal import Entry
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import suppression_list
from tasks.subjects.tied_tables import (
    learned,
    open_searched,
    readable_versions,
    searched_columns,
)
from tasks.tables.delta import count_by_subject, open_table
from tasks.tables.spellings import rows_by_id
from unlearning.policy.counted import counted
from unlearning.policy.deletion import Disposition, is_replay
from unlearning.policy.spelling import loose_form

log = logging.getLogger("expunge.near-matches")


def set_aside(services: Services, batch: str) -> int:
    """Take out of the batch every request that nearly names somebody; returns how many.

    So is one taken out whose id only a subject of another kind has.

    Looked at is every table of the kind, and the versions that models were trained on, as long as
    the batch has not begun to erase; again if one of them is a new version. Requests of our own and
    those that a person settled mean exactly what they say.

    Cost: a pass over the subject column of every table.
    """
    history = read_batch(services.journal, batch)
    versions = {} if history.is_suppressed else dict(_versions(services))
    if versions and versions != (history.sought.versions if history.sought else {}):
        exact = _settled(services, batch)
        unclear = _unclear(services, batch, versions, exact)
        facts = NearMatchesSought(versions=versions, unclear=unclear, exact=exact)
        # A run that was replaced knows nothing of what is erased by now.
        lease.check(services.store)
        number = history.event_count + 1
        services.journal.append(batch_stream(batch), ids.near_matches(number), facts)
    _tell(services, batch)
    return len(read_batch(services.journal, batch).near) - len(history.near)


def _settled(services: Services, batch: str) -> tuple[str, ...]:
    """Records of the batch of which a person said that they mean exactly their ids."""
    taken = inbox.read_manifest(services, batch).released
    return tuple(
        record
        for record in sorted(taken)
        if any(
            isinstance(e.facts, RequestSettled)
            for e in services.journal.read(request_stream(record))
        )
    )


def _versions(services: Services) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The versions of each table to look into: the newest first, then those that were learned."""
    ties = learned(services)
    for uri, (column, kind) in searched_columns(services).items():
        table = open_searched(services, uri)
        if table is not None:
            older = readable_versions(services, ties, uri, table.version(), kind)
            yield uri, (table.version(), *sorted(v for v in older if older[v] == column))


def _unclear(
    services: Services, batch: str, versions: dict[str, tuple[int, ...]], exact: tuple[str, ...]
) -> tuple[NearMatch, ...]:
    asked = [
        d
        for d in batches.accepted(services, batch)
        if d.record_id not in exact and not is_replay(d.request_id, d.subject)
    ]
    near: dict[str, dict[tuple[str, str], int]] = {}
    named: set[str] = set()
    for uri, (column, kind) in searched_columns(services).items():
        mine = _by_form(services, batch, kind, asked)
        for version in versions.get(uri, ()):
            table = open_table(services.settings, uri, version)
            for subject, rows in rows_by_id(table, column, mine).items():
                for record, exactly in mine[loose_form(subject)].items():
                    if subject != exactly:
                        found = near.setdefault(record, {})
                        found[uri, subject] = max(rows, found.get((uri, subject), 0))
                    else:
                        named.add(record)
    matches = [
        NearMatch(record=record, rows=sum(found.values()), subjects=len({s for _, s in found}))
        for record, found in near.items()
    ]
    unnamed = [d for d in asked if d.record_id not in named | set(near)]
    matches += _of_other_kinds(services, batch, versions, unnamed)
    return tuple(sorted(matches, key=lambda one: one.record))


def _of_other_kinds(
    services: Services,
    batch: str,
    versions: dict[str, tuple[int, ...]],
    asked: Collection[Disposition],
) -> Iterator[NearMatch]:
    """Requests whose id is a subject of other kinds, and none of its own that was ever erased.

    Cost: a filtered read of the subject column of every table of another kind.
    """
    gone = suppression_list.load(services).subjects if asked else ()
    unknown = [d for d in asked if d.subject not in gone]
    rows: dict[str, Counter[str]] = {}
    for own in sorted({d.subject_kind for d in unknown}):
        records = [d.record_id for d in unknown if d.subject_kind == own]
        named = batches.subjects_by_record(services, batch, own, records)
        for uri, (column, kind) in searched_columns(services).items():
            if kind != own:
                found = _most_rows(services, uri, column, versions.get(uri, ()), named.values())
                for record, subject in named.items():
                    if found[subject]:
                        rows.setdefault(record, Counter())[kind] += found[subject]
    for record, found in rows.items():
        kinds = tuple(sorted(found))
        yield NearMatch(record=record, rows=found.total(), subjects=len(kinds), kinds=kinds)


def _most_rows(
    services: Services, uri: str, column: str, versions: Collection[int], ids: Collection[str]
) -> Counter[str]:
    """The most rows that each of the ids has in one of the versions."""
    found: Counter[str] = Counter()
    for version in versions:
        found |= Counter(count_by_subject(open_table(services.settings, uri, version), column, ids))
    return found


def _by_form(
    services: Services, batch: str, kind: str, asked: Collection[Disposition]
) -> dict[str, dict[str, str]]:
    """By loose form, the records that have it, each with its id."""
    found: dict[str, dict[str, str]] = {}
    records = [d.record_id for d in asked]
    for record, subject in batches.subjects_by_record(services, batch, kind, records).items():
        found.setdefault(loose_form(subject), {})[record] = subject
    return found


def _tell(services: Services, batch: str) -> None:
    """Tell every request that was set aside, also where an earlier run stopped before that."""
    near = read_batch(services.journal, batch).near
    known = {d.record_id: d for d in batches.dispositions(services, batch)} if near else {}
    heads = services.journal.latest(near)
    told = [r for r in near if r not in heads or heads[r].status in ("accepted", "blocked")]
    services.journal.append_all(
        Entry(
            request_stream(record),
            ids.in_request(batch, near[record][0]),
            RequestUnclear(
                disposition=told_because(known[record], _why(near[record][1])), batch=batch
            ),
        )
        for record in told
    )


def _why(found: NearMatch) -> str:
    rows = counted(found.rows, "row")
    if found.kinds:
        return (
            f"no table of its kind has this id, but another kind has it ({', '.join(found.kinds)}: "
            f"{rows}); a person says who is meant"
        )
    return (
        f"{rows} of {counted(found.subjects, 'subject')} have nearly this "
        "id; a person says who is meant"
    )
