"""Which erased subjects are back in a table: looked for once per version, by keyed hash."""

import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial

from deltalake import DeltaTable

from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.subjects import suppression_list
from tasks.tables.delta import arrow_dataset, count_rows, open_table, used_files
from tasks.tables.subject_ids import id_texts
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.subject_kinds import PERSON, SubjectColumn, kind_pseudonym

log = logging.getLogger("expunge.reappearance")


@dataclass(frozen=True, slots=True)
class TableScan:
    """Whom a scan of one version of a table found; holds no subject id."""

    version: int
    fingerprint: str
    """Digest of the version's file names: a restored table may give a number a second time."""
    listed: str
    """Digest of the suppression list that was looked for."""
    row_count: int
    rows: dict[str, int]
    """Rows of each subject on the list who is back, by pseudonym."""


def scan_table(
    services: Services, uri: str, column: SubjectColumn, version: int | None = None
) -> TableScan:
    """Look for everybody on the suppression list in a version of a table, or in its newest.

    Cost: one pass over the subject column; for the same files and the same list, one small object.
    """
    table = open_table(services.settings, uri, version)
    listed = suppression_list.load(services)
    print_of, digest = fingerprint(table), listed.digest
    facts = {"table": uri, "column": column.name}
    place = facts_digest(facts | ({} if column.kind == PERSON else {"kind": column.kind}))[:SHORT]
    key = f"scans/{place}/{table.version()}.json"
    known = _read(services, key)
    if known is not None and (known.fingerprint, known.listed) == (print_of, digest):
        return known
    rows: Counter[str] = Counter()
    if listed.subjects:
        for who, _, count in _found(services, table, column, listed.subjects):
            rows[who] += count
    found = TableScan(
        table.version(), print_of, digest, count_rows(table), dict(sorted(rows.items()))
    )
    services.store.put(key, json.dumps(asdict(found)).encode())
    return found


def raw_ids(
    services: Services,
    uri: str,
    column: SubjectColumn,
    version: int | None,
    among: frozenset[str] | None = None,
) -> list[str]:
    """The ids of the erased subjects who are back, or of those `among` them; never leaves a task.

    Cost: that of `scan_table`; only if it finds somebody, another pass over the subject column.
    """
    back = scan_table(services, uri, column, version).rows.keys()
    wanted = frozenset(back if among is None else back & among)
    if not wanted:
        return []
    table = open_table(services.settings, uri, version)
    return sorted({i for _, i, _ in _found(services, table, column, wanted)})


def suppressed_ids(
    services: Services, spec: DatasetSpec, version: int | None, *, uri: str | None = None
) -> list[str]:
    """The subjects of a table whom nothing may learn from; never leaves a task."""
    found = raw_ids(services, uri or spec.uri, spec.who, version)
    if found:
        log.warning("%s: rows of %d erased subjects are left out", uri or spec.uri, len(found))
    return found


def unknown_ids(services: Services, enrollment: Enrollment) -> list[str]:
    """Subjects in the model's snapshot whom it never learned, since they are back from erasure."""
    spec, among = enrollment.dataset, suppression_list.never_learned_by(services, enrollment)
    return raw_ids(services, spec.uri, spec.who, enrollment.dataset_version, among)


def known_count(services: Services, enrollment: Enrollment, found: TableScan) -> int:
    """How many rows of that version count as the model's: all but those of `unknown_ids`."""
    out = suppression_list.never_learned_by(services, enrollment)
    return found.row_count - sum(rows for who, rows in found.rows.items() if who in out)


def fingerprint(table: DeltaTable) -> str:
    """Digest of the names of a version's files, which are never written twice."""
    with translated("table"):
        names = sorted(used_files(table))
    return facts_digest({"files": names})


def _found(
    services: Services, table: DeltaTable, column: SubjectColumn, wanted: frozenset[str]
) -> Iterator[tuple[str, str, int]]:
    """(pseudonym, id, rows) of the wanted subjects, batch by batch of rows."""
    named = partial(kind_pseudonym, services.settings.pseudonym_secret(), column.kind)
    with translated("table"):
        for batch in arrow_dataset(table).to_batches(columns=[column.name]):
            counted = batch.column(0).drop_null().value_counts()
            texts, counts = id_texts(counted.field("values")), counted.field("counts").to_pylist()
            for subject, count in zip(texts, counts, strict=True):
                who = "" if subject is None else named(subject)
                if subject is not None and who in wanted:
                    yield who, subject, count


def _read(services: Services, key: str) -> TableScan | None:
    try:
        return TableScan(**json.loads(services.store.get(key)))
    except MissingObjectError:
        return None
