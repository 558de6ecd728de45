"""Statuses, and the events that lead from one to the next."""

from docs.generate.tables import code, table
from tasks.journal.events.event import Kind
from tasks.journal.events.transitions import TRANSITIONS
from unlearning.policy.deletion import STATUS_MEANING, is_open


def meanings() -> str:
    """Every status of a request, and whether anything is still to come."""
    rows = [
        (code(status), "open" if is_open(status) else "final", meaning)
        for status, meaning in STATUS_MEANING.items()
    ]
    return table(("status", "open or final", "meaning"), rows)


def transitions(kind: Kind) -> str:
    """What follows what in a stream of this kind."""
    rows = [
        (code(before) if before else "(new)", code(event.__name__), code(after))
        for (before, event), after in TRANSITIONS[kind].items()
    ]
    return table(("from", "event", "to"), rows)
