"""The part of a batch's history that tells which requests left it while it was at work."""

from dataclasses import dataclass, field

from tasks.journal.events.withheld import (
    LeavingFact,
    NearMatch,
    NearMatchesSought,
    RequestsSentAhead,
    RequestsWithheld,
)


@dataclass(slots=True)
class Withheld:
    """Requests that left the batch."""

    withheld: list[tuple[int, str, frozenset[str]]] = field(default_factory=list)
    """Number and id of the event, and records that left it: held, unclear, or sent ahead."""
    ahead: dict[str, RequestsSentAhead] = field(default_factory=dict)
    """Those that were sent ahead, by the event's id."""
    near: dict[str, tuple[str, NearMatch]] = field(default_factory=dict)
    """Records that left it as unclear, each with the event's id and what was found."""
    why_withheld: dict[str, str] = field(default_factory=dict)
    """By id of an event, why records left it that no legal hold names."""
    sought: NearMatchesSought | None = None
    """The latest look for nearly the same ids."""

    @property
    def withheld_records(self) -> frozenset[str]:
        """Every record that left it."""
        return frozenset[str]().union(*(records for _, _, records in self.withheld))

    def last_left(self, model: str) -> int:
        """Number of the latest event by which requests left it that a plan for the model counts.

        Whoever is sent ahead leaves the other models' plans as they are.
        """
        numbers = (
            number
            for number, event_id, _ in self.withheld
            if event_id not in self.ahead or model in self.ahead[event_id].models
        )
        return max(numbers, default=0)


def note_withheld(history: Withheld, number: int, event_id: str, facts: LeavingFact) -> None:
    """Add what an event of this number and id says."""
    if isinstance(facts, RequestsSentAhead):
        history.ahead[event_id] = facts
        history.withheld.append((number, event_id, frozenset(facts.as_of)))
        return
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
