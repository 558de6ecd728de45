"""What a batch did to one table, as part of its history."""

from dataclasses import dataclass, field
from typing import assert_never

from tasks.journal.events.batches import (
    ErasureIntended,
    FilesPurged,
    PurgeIntended,
    RowsErased,
    TableFact,
    TableGone,
)


@dataclass(slots=True)
class TableHistory:
    """What a batch did to one table, round by round."""

    rounds: int = 0
    """How many deletions were intended."""
    erased: list[RowsErased] = field(default_factory=list)
    purged: list[FilesPurged] = field(default_factory=list)
    is_gone: bool = False

    @property
    def is_begun(self) -> bool:
        """Whether a deletion was ever intended."""
        return bool(self.rounds)

    @property
    def is_under_way(self) -> bool:
        """Whether rows may be deleted whose files were not proven to be gone yet."""
        return self.rounds > len(self.purged)


def note_table(history: TableHistory, facts: TableFact) -> None:
    """Take in the next thing that happened to the table."""
    match facts:
        case ErasureIntended():
            history.rounds += 1
        case RowsErased():
            history.erased.append(facts)
        case FilesPurged():
            history.purged.append(facts)
        case TableGone():
            history.is_gone = True
        case PurgeIntended():
            pass
        case _:
            assert_never(facts)
