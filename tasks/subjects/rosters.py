"""Rosters: whose rows weights learned, by keyed digests, kept for when the rows cannot be read.

One create-only object per snapshot that weights learned from, rosters/<model>/<name>.rows: 16 bytes
a row, 8 of the subject's pseudonym and 8 of the row's digest, sorted. The lake may compact, vacuum
or overwrite the table as it likes: the roster says whether the rows are in another version of it,
and whose rows are in none.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import numpy as np
import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.journal.histories.ties import Tie
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.store.pseudonym_keys import refuse_other_key
from tasks.subjects.reappearance import fingerprint
from tasks.subjects.row_files import ROSTERS, ending, in_order
from tasks.tables.delta import is_readable, matching, open_table
from tasks.tables.row_digests import row_digests
from unlearning.errors import DataError
from unlearning.policy.digests import HALF, SHORT, facts_digest
from unlearning.policy.subject_kinds import SubjectColumn, kind_pseudonym


@dataclass(frozen=True, slots=True)
class Roster:
    """Rows by pseudonym and digest."""

    rows: np.ndarray
    """uint64 [N, 2], sorted by pseudonym."""

    def of(self, subjects: Iterable[np.uint64]) -> np.ndarray:
        """The rows of these subjects."""
        return self.rows[np.isin(self.rows[:, 0], np.array(list(subjects), dtype=np.uint64))]

    def without(self, subjects: Iterable[np.uint64]) -> np.ndarray:
        """The rows of all others."""
        return self.rows[~np.isin(self.rows[:, 0], np.array(list(subjects), dtype=np.uint64))]


def shortened(pseudonyms: Iterable[str]) -> list[np.uint64]:
    """Pseudonyms as a roster has them."""
    return [np.uint64(int(one[:HALF], 16)) for one in pseudonyms]


def keep_roster(services: Services, model: str, tie: Tie, *, without: Collection[str] = ()) -> None:
    """Write down whose rows the weights learned, once; `without` are pseudonyms that they did not.

    Cost: one pass over the table's features, labels and subjects.
    """
    key = _key(services, model, tie)
    if any(services.store.list_objects(key)):
        return
    refuse_other_key(services.store, services.settings.pseudonym_secret)
    table = open_table(services.settings, tie.dataset.uri, tie.version)
    found = Roster(roster_rows(services, table, tie))
    services.store.put_if_absent(key, found.without(shortened(without)).tobytes())


def read_roster(services: Services, model: str, tie: Tie) -> Roster | None:
    """The roster of these weights on this snapshot; None if none was kept."""
    try:
        data = services.store.get(_key(services, model, tie))
    except MissingObjectError:
        return None
    return Roster(np.frombuffer(data, dtype="<u8").reshape(-1, 2))


def roster_rows(
    services: Services, table: DeltaTable, tie: Tie, subjects: Collection[str] | None = None
) -> np.ndarray:
    """What a roster of this version of the tie's table holds, be it of these subjects alone."""
    spec = tie.dataset
    where = None if subjects is None else matching(table, spec.subject, subjects)
    return pseudonym_digests(services, table, spec.who, (*spec.features, spec.label), where)


def pseudonym_digests(
    services: Services,
    table: DeltaTable,
    column: SubjectColumn,
    columns: Sequence[str],
    where: ds.Expression | None,
) -> np.ndarray:
    """uint64 [N, 2] of the rows' subjects and of what these columns hold, sorted by subject."""
    secret = services.settings.pseudonym_secret()
    known: dict[str, np.uint64] = {}
    parts: list[np.ndarray] = []
    for ids, digests in row_digests(table, column.name, columns, secret, where):
        for one in {i for i in ids if i is not None} - known.keys():
            (known[one],) = shortened([kind_pseudonym(secret, column.kind, one)])
        who = np.array([np.uint64(0) if i is None else known[i] for i in ids], dtype=np.uint64)
        parts.append(np.stack([who, digests], axis=1))
    rows = np.concatenate(parts) if parts else np.zeros((0, 2), dtype=np.uint64)
    return in_order(rows)


def is_in_place(services: Services, tie: Tie) -> bool:
    """Whether the table still has this version, with the files it had, and all of them."""
    uri = tie.dataset.uri
    try:
        table = open_table(services.settings, uri, tie.version)
    except DataError:
        return False
    is_same = tie.fingerprint in ("", fingerprint(table))
    return is_same and is_readable(services.settings, uri, tie.version)


def _key(services: Services, model: str, tie: Tie) -> str:
    spec = tie.dataset
    name = facts_digest(
        {
            "weights": tie.digest,
            "table": spec.uri,
            "version": tie.version,
            "files": tie.fingerprint,
            "columns": [*spec.features, spec.label, spec.subject],
        }
    )
    return f"{ROSTERS}{quote(model, safe='')}/{name[:SHORT]}{ending(services.settings)}"
