"""Subject columns by which nobody looks for rows of a table, since another one is searched.

Enrolment refuses a second one. Stores of earlier releases may have some, and weights may have
learned by one before the table was closed and enrolled anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from tasks.journal.reading import read_model
from tasks.registry.services import Services
from tasks.subjects.matches import TableMatches
from tasks.subjects.tied_tables import learned, open_searched, searched_columns
from unlearning.policy.subject_kinds import SubjectColumn


@dataclass(frozen=True, slots=True)
class Overlooked:
    """One of them, by a model that is on record with it."""

    model: str
    uri: str
    column: SubjectColumn
    searched: SubjectColumn

    @property
    def name(self) -> str:
        """Whose rows nobody can tell, in words."""
        return f"{self.model}, enrolled on {self.uri} by column {self.column.name!r}"


def overlooked(services: Services) -> list[Overlooked]:
    """Subject columns that tables are on record by, or that weights learned by, and no search uses.

    A column of the same kind that the table has no more is none: it got another name.
    """
    now = searched_columns(services)
    recorded = [
        (model, uri, column)
        for model in map(unquote, services.journal.models())
        for uri, columns in read_model(services.journal, model).ties.on_record.items()
        for column in columns
    ]
    recorded += [(o.model, o.tie.dataset.uri, o.tie.dataset.who) for o in learned(services)]
    return [
        Overlooked(model, uri, column, now[uri])
        for model, uri, column in sorted(set(recorded))
        if uri in now
        and column != now[uri]
        and (column.kind != now[uri].kind or _has_column(services, uri, column.name))
    ]


def _has_column(services: Services, uri: str, name: str) -> bool:
    table = open_searched(services, uri)
    return table is not None and name in {field.name for field in table.schema().fields}


def with_overlooked(services: Services, found: Sequence[TableMatches]) -> list[TableMatches]:
    """What was found, and by which columns nobody looked for subjects of the same kind.

    So that whoever has no rows in what was searched is not told that there are none.
    """
    left_out = overlooked(services)
    return [
        replace(one, unread=tuple(dict.fromkeys((*one.unread, *silent))))
        for one in found
        for silent in [[o.name for o in left_out if o.column.kind == one.kind]]
    ]


def why_overlooked(services: Services) -> list[str]:
    """A sentence for each of them."""
    return [
        f"{one.uri} was enrolled by the subject column {one.column.name!r} (kind "
        f"{one.column.kind}), and its rows are found by {one.searched.name!r} (kind "
        f"{one.searched.kind}) alone, so that nobody can tell whose ids stand in the first; enrol "
        f"{one.model} on tables with one subject column each."
        for one in overlooked(services)
    ]
