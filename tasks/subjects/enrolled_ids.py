"""What can be an id at all: of the type of a column that is enrolled, and no word for nothing."""

from functools import cached_property

import pyarrow as pa

from tasks.registry.services import Services
from tasks.subjects.tied_tables import open_searched, searched_columns
from tasks.tables.delta import arrow_schema, count_by_subject, open_table
from tasks.tables.subject_ids import can_hold
from unlearning.policy.spelling import is_word_for_nothing, loose_form


class EnrolledIds:
    """The subject columns of all enrolled tables, as ids of requests are compared with them.

    Cost: the schema of each table; for a word that stands for nothing, a filtered read of the text
    columns of its kind, once.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[tuple[str, str], bool] = {}

    @cached_property
    def _columns(self) -> dict[str, list[tuple[str, str, pa.DataType | None]]]:
        """Table, column and its type, by kind; read when the first request is judged."""
        found: dict[str, list[tuple[str, str, pa.DataType | None]]] = {}
        for uri, (column, kind) in searched_columns(self._services).items():
            table = open_searched(self._services, uri)
            # Of a table that is away nobody knows what it could hold.
            of = None if table is None else arrow_schema(table).field(column).type
            found.setdefault(kind, []).append((uri, column, of))
        return found

    def fits(self, kind: str, subject_id: str) -> bool:
        """Whether a column of this kind could hold the id, as it is or in another spelling."""
        columns = self._columns.get(kind, [])
        spelled = (subject_id, loose_form(subject_id))
        return not columns or any(
            one is None or any(can_hold(one, text) for text in spelled) for _, _, one in columns
        )

    def names_somebody(self, kind: str, subject_id: str) -> bool:
        """Whether it is no word for an empty cell, unless a table has just that for an id."""
        if not is_word_for_nothing(subject_id):
            return True
        asked = kind, subject_id
        if asked not in self._known:
            self._known[asked] = any(
                count_by_subject(open_table(self._services.settings, uri), column, [subject_id])
                for uri, column, one in self._columns.get(kind, [])
                if one is not None and can_hold(one, subject_id)
            )
        return self._known[asked]
