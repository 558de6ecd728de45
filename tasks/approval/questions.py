"""Questions to people that wait for an answer, as they stand in the journal."""

from tasks.journal.events.preflight import Preflight
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from unlearning.policy.approval import end_of
from unlearning.policy.deadlines import span

OPEN = ("waiting", "half_erased", "rejected")
"""Statuses of a batch that somebody must answer."""


def waiting(services: Services) -> list[tuple[str, Preflight]]:
    """Status and latest preflight of every batch that somebody must answer, by batch."""
    found: list[tuple[str, Preflight]] = []
    for batch, head in services.journal.open_batches():
        if head.status in OPEN:
            asked = read_batch(services.journal, batch).asked
            found += [(head.status, asked)] if asked else []
    return found


def describe(services: Services, batch: str) -> str:
    """The latest preflight as text, for a form that has no tables; empty if nobody was asked."""
    asked = read_batch(services.journal, batch).asked
    if asked is None:
        return ""
    models = [
        f"- {m.model} version {m.parent_version}: {m.forget_count} of {m.row_count} rows "
        f"({m.share:.1%}), {m.method}; a retrain takes "
        f"{'nobody knows how long' if m.retrain_seconds is None else span(m.retrain_seconds)}"
        f"{f', by recipe {m.recipe}' if m.recipe else ''}"
        for m in asked.models
    ]
    why = " ".join(asked.reasons)
    ends = [f"- {said}" for m in asked.models if (said := end_of(m))]
    return "\n".join([f"Batch {batch}, due on {asked.due_on}. {why}", "", *models, *ends])
