"""What a batch's certificates state beside what was done."""

from dataclasses import dataclass, field

from tasks.journal.events.statements import OtherVersionsStated, StatementFact


@dataclass(slots=True)
class Statements:
    """All that was stated; read it, and let `note_statement` alone write it."""

    other_versions: dict[str, OtherVersionsStated] = field(default_factory=dict)
    """Versions that expunge does not look after, by model."""


def note_statement(stated: Statements, facts: StatementFact) -> None:
    """Take up one event."""
    stated.other_versions[facts.model] = facts
