"""The events of the journal."""

from docs.generate.tables import code, table
from unlearning.policy import deletion


def page() -> str:
    """Every event that changes a status, by the kind of its stream."""
    rows = [
        (code(name), kind)
        for kind, found in deletion.TRANSITIONS.items()
        for name in sorted({event for _, event in found})
    ]
    return table(("event", "stream"), rows)
