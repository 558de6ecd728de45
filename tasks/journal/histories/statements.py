"""What a batch's certificates state beside what was done."""

from dataclasses import dataclass, field
from typing import assert_never

from tasks.journal.events.statements import (
    ExamplesCleared,
    ExamplesCompared,
    OtherVersionsStated,
    StatementFact,
    StrangersStated,
)


@dataclass(slots=True)
class Statements:
    """All that was stated; read it, and let `note_statement` alone write it."""

    other_versions: dict[str, OtherVersionsStated] = field(default_factory=dict)
    """Versions that expunge does not look after, by model."""
    strangers: dict[str, StrangersStated] = field(default_factory=dict)
    """Models that name a table and that nobody enrolled, by table."""
    examples: dict[str, list[ExamplesCleared]] = field(default_factory=dict)
    """Input examples that were rows to be erased, by table, round by round."""


def note_statement(stated: Statements, facts: StatementFact) -> None:
    """Take up one event."""
    match facts:
        case OtherVersionsStated():
            stated.other_versions[facts.model] = facts
        case StrangersStated():
            stated.strangers[facts.table] = facts
        case ExamplesCleared():
            stated.examples.setdefault(facts.table, []).append(facts)
        case ExamplesCompared():
            pass  # what came of it is the next event
        case _:
            assert_never(facts)
