"""Statuses, and the events that lead from one to the next."""

from docs.generate.tables import code, table
from unlearning.policy import deletion


def meanings() -> str:
    """Every status of a request, and whether anything is still to come."""
    rows = [
        (code(status), "open" if deletion.is_open(status) else "final", meaning)
        for status, meaning in deletion.STATUS_MEANING.items()
    ]
    return table(("status", "open or final", "meaning"), rows)


def transitions(kind: str) -> str:
    """What follows what in a stream of this kind."""
    found = deletion.TRANSITIONS[kind]
    rows = [
        (code(before) if before else "(new)", code(event), code(after))
        for (before, event), after in found.items()
    ]
    return table(("from", "event", "to"), rows)
