"""A table's history, as far as its log still tells it: when which version was written."""

from dataclasses import dataclass
from datetime import UTC, datetime

from deltalake import DeltaTable

from tasks.foreign_errors import translated

_SAME_ROWS = frozenset(
    {
        "OPTIMIZE",
        "SET TBLPROPERTIES",
        "UNSET TBLPROPERTIES",
        "UPDATE FIELD METADATA",
        "UPDATE TABLE METADATA",
        "ADD FEATURE",
        "ADD CONSTRAINT",
        "DROP CONSTRAINT",
        "VACUUM START",
        "VACUUM END",
    }
)
"""Operations that leave every row as it is, by the names that Delta's writers give them."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One version of a table."""

    version: int
    at: datetime
    """When it was written, by the clock of who wrote it."""
    changes_rows: bool
    """Whether other rows may be in it than in the version before."""


def commits(table: DeltaTable) -> list[Commit]:
    """Every commit that the log still has and that says when it was made, oldest first."""
    with translated("table"):
        found = table.history()
    return sorted(
        (
            Commit(
                version=int(one["version"]),
                at=datetime.fromtimestamp(one["timestamp"] / 1000, UTC),
                changes_rows=one.get("operation") not in _SAME_ROWS,
            )
            for one in found
            if isinstance(one.get("timestamp"), int)
        ),
        key=lambda one: one.version,
    )
