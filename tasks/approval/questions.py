"""Questions to people and their answers, as they stand in the journal."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.intake import batches
from tasks.store import journal
from tasks.store.objects import ObjectStore
from unlearning.policy.approval import ModelPreflight
from unlearning.policy.deadlines import span

OPEN = ("waiting", "half_erased", "rejected")
"""Statuses of a batch that somebody must answer."""
ANSWERS = ("BatchApproved", "BatchRejected")
_QUESTIONS = ("ApprovalRequested", "ApprovalWithdrawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a person is asked to approve; holds no subject id."""

    batch: str
    number: int
    """How many times the batch asked, this time included."""
    digest: str
    """Digest of the plans; an answer holds for these and for no others."""
    due_on: str
    """Earliest due date of the batch's requests."""
    models: tuple[ModelPreflight, ...]
    """Models that are served come first, in each half the largest share."""

    @property
    def reasons(self) -> list[str]:
        """Why the batch waits, one sentence for each model that is above its limits."""
        return [m.reason for m in self.models if m.reason]


def waiting(store: ObjectStore) -> list[tuple[str, Preflight]]:
    """Status and latest preflight of every batch that somebody must answer, by batch."""
    found: list[tuple[str, Preflight]] = []
    for batch, head in journal.heads(store, "batches"):
        if head.status in OPEN:
            asked = latest_preflight(journal.read(store, batches.stream(batch)))
            found += [(head.status, asked)] if asked else []
    return found


def describe(store: ObjectStore, batch: str) -> str:
    """The latest preflight as text, for a form that has no tables."""
    asked = latest_preflight(journal.read(store, batches.stream(batch)))
    if asked is None:
        return ""
    models = [
        f"- {m.model} version {m.parent_version}: {m.forget_count} of {m.row_count} rows "
        f"({m.share:.1%}), {m.method}; a retrain takes "
        f"{'nobody knows how long' if m.retrain_seconds is None else span(m.retrain_seconds)}"
        for m in asked.models
    ]
    why = " ".join(asked.reasons)
    return "\n".join([f"Batch {batch}, due on {asked.due_on}. {why}", "", *models])


def latest_preflight(events: Sequence[journal.Event]) -> Preflight | None:
    """The latest preflight among a batch's events, if people were ever asked."""
    found = next((e for e in reversed(events) if e.name == "ApprovalRequested"), None)
    if found is None:
        return None
    models = tuple(ModelPreflight(**m) for m in found.facts["models"])
    return Preflight(**{**found.facts, "models": models})


def approver(events: Sequence[journal.Event]) -> str:
    """Who approved what was done; empty if nobody had to."""
    found = (e for e in reversed(events) if e.name in (*_QUESTIONS, *ANSWERS))
    last = next(found, None)
    return last.facts["name"] if last is not None and last.name == "BatchApproved" else ""
