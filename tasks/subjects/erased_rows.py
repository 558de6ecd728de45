"""What erased rows held, by keyed digests: a row that is back is told from a new one.

A create-only object for each deletion, erased-rows/<batch>/<table>-<version>-<content>.rows: a line
with the columns, then 16 bytes a row, 8 of the subject's pseudonym and 8 of the row's digest. Its
name has a digest of these bytes: a run that was killed before it deleted has written down its
people, and the next one may delete more of them from the very same version.
"""

import json
from collections.abc import Collection, Iterator

import numpy as np
from deltalake import DeltaTable

from tasks.registry.services import Services
from tasks.subjects.learned_rows import erased_since
from tasks.subjects.rosters import pseudonym_digests, read_roster, shortened
from tasks.subjects.row_files import ERASED, ending
from tasks.subjects.tied_tables import ever_learned
from tasks.tables.delta import arrow_schema, matching
from unlearning.policy.digests import SHORT, bytes_digest
from unlearning.policy.subject_kinds import SubjectColumn


def keep_erased(
    services: Services,
    batch: str,
    table: DeltaTable,
    column: SubjectColumn,
    subjects: Collection[str],
) -> None:
    """Write down what the subjects' rows hold, before they are deleted.

    Cost: one pass over all columns of their rows.
    """
    columns = sorted(arrow_schema(table).names)
    rows = _rows(services, table, column, columns, subjects)
    if len(rows):
        body = json.dumps(columns).encode() + b"\n" + rows.tobytes()
        place, content = (bytes_digest(of)[:SHORT] for of in (table.table_uri.encode(), body))
        name = f"{place}-{table.version()}-{content}{ending(services.settings)}"
        services.store.put_if_absent(f"{ERASED}{batch}/{name}", body)


def with_new_rows(
    services: Services,
    table: DeltaTable,
    column: SubjectColumn,
    subjects: dict[str, str],
    erased_in: Collection[str],
) -> set[str]:
    """Pseudonyms of the subjects, given by raw id, who have a row that these batches did not erase.

    Of whom no row was written down, for others had deleted them before, any row counts as new but
    those that weights learned before: rosters have them.
    """
    known: dict[tuple[str, ...], list[np.ndarray]] = {}
    for columns, rows in _kept(services, erased_in):
        known.setdefault(columns, []).append(rows)
    asked = dict(zip(shortened(subjects.values()), subjects.values(), strict=True))
    written = {one for parts in known.values() for rows in parts for one in set(rows[:, 0])}
    unwritten = [who for short, who in asked.items() if short not in written]
    new = set(asked.values()) - _in_rosters(services, table, column, subjects, unwritten)
    schema = set(arrow_schema(table).names)
    for columns, parts in known.items():
        if not schema.issuperset(columns):
            continue
        digests = np.concatenate(parts)[:, 1]
        now = _rows(services, table, column, columns, list(subjects))
        strange = set(now[~np.isin(now[:, 1], digests), 0])
        new -= {who for short, who in asked.items() if short not in strange}
    return new


def _in_rosters(
    services: Services,
    table: DeltaTable,
    column: SubjectColumn,
    subjects: dict[str, str],
    among: Collection[str],
) -> set[str]:
    """Those of whom a roster has every row of the table, learned before they were erased."""
    schema, found = set(arrow_schema(table).names), set[str]()
    ids = [one for one, who in subjects.items() if who in among]
    for one in ever_learned(services) if ids else ():
        spec = one.tie.dataset
        columns = (*spec.features, spec.label)
        roster = read_roster(services, one.model, one.tie) if schema.issuperset(columns) else None
        if roster is not None:
            known = set(map(tuple, roster.of(erased_since(services, one.tie)).tolist()))
            now = _rows(services, table, column, columns, ids).tolist()
            strange = {who for who, digest in now if (who, digest) not in known}
            found |= {who for who in among if int(shortened([who])[0]) not in strange}
    return found


def _rows(
    services: Services,
    table: DeltaTable,
    column: SubjectColumn,
    columns: Collection[str],
    subjects: Collection[str],
) -> np.ndarray:
    where = matching(table, column.name, subjects)
    return pseudonym_digests(services, table, column, list(columns), where)


def _kept(
    services: Services, batches: Collection[str]
) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    for batch in sorted(batches):
        for info in list(services.store.list_objects(f"{ERASED}{batch}/")):
            head, _, body = services.store.get(info.key).partition(b"\n")
            yield tuple(json.loads(head)), np.frombuffer(body, dtype="<u8").reshape(-1, 2)
