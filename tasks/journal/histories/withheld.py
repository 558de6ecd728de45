"""The part of a batch's history that tells which requests left it while it was at work."""

from dataclasses import dataclass, field

from tasks.journal.events.withheld import NearMatch, NearMatchesSought, RequestsWithheld


@dataclass(slots=True)
class Withheld:
    """Requests that left the batch."""

    withheld: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    """Number and id of the event, and records that left it for a hold, or as unclear."""
    near: dict[str, tuple[str, NearMatch]] = field(default_factory=dict)
    """Records that left it as unclear, each with the event's id and what was found."""
    why_withheld: dict[str, str] = field(default_factory=dict)
    """By id of an event, why records left it that no legal hold names."""
    sought: NearMatchesSought | None = None
    """The latest look for nearly the same ids."""

    @property
    def withheld_records(self) -> frozenset[str]:
        """Every record that left it for a hold, or as unclear."""
        return frozenset[str]().union(*(records for _, _, records in self.withheld))


def note_withheld(
    history: Withheld, number: int, event_id: str, facts: RequestsWithheld | NearMatchesSought
) -> None:
    """Add what an event of this number and id says."""
    if isinstance(facts, RequestsWithheld):
        history.withheld.append((number, event_id, frozenset(facts.records)))
        if facts.why:
            history.why_withheld[event_id] = facts.why
        return
    history.sought = facts
    history.near |= {one.record: (event_id, one) for one in facts.unclear}
    if facts.unclear:
        records = frozenset(one.record for one in facts.unclear)
        history.withheld.append((number, event_id, records))
