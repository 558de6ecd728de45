"""One attempt to unlearn a batch from a model, and its events in the journal."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events.catalog import model_stream
from tasks.registry.services import Services
from unlearning.policy.digests import facts_digest
from unlearning.policy.ladder import Rung


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is unlearned from what, and how; the key names its effects for ever."""

    key: str
    batch: str
    model: str
    parent_version: int
    parent_digest: str
    dataset: str
    dataset_version: int
    holdout_version: int
    row_count: int
    forget_count: int
    forget_digest: str
    config_digest: str
    method: str
    reason: str = ""
    """Why it is not simply the enrolment's update; empty if it is."""
    rung: Rung = "update"
    """Rung of the ladder (see `unlearning.policy.ladder`)."""
    class_share: float | None = None
    """Share of its training rows that the class hit hardest loses; None if every class is small,
    the enrolment's method is a retrain, or the record is of an older release."""


def plan_digest(attempt: Attempt) -> str:
    """Digest of what is forgotten by what, the same on every rung of the ladder.

    Who approves a plan approves the whole ladder: the next rung must not wait for another answer,
    nor must a try that is judged on another holdout.
    """
    aside = ("key", "rung", "method", "reason", "class_share", "holdout_version")
    return facts_digest({k: v for k, v in asdict(attempt).items() if k not in aside})


def config_digest(services: Services, model: str) -> str:
    """Digest of everything that decides how a model is unlearned and judged, as it was recorded.

    An option that a later release adds is not in the record: it voids neither plan nor approval.
    """
    events = services.journal.read(model_stream(model))
    recorded = next(e.facts for e in reversed(events) if e.name == "ModelEnrolled")
    parts = ("unlearning", "policy", "budget")
    return facts_digest({name: recorded[name] for name in parts if name in recorded})


def once_in(
    services: Services, attempt: Attempt, step: str, event: str, **calls: Any
) -> dict[str, Any]:
    """Make one effect of the attempt exactly once (see `tasks.journal.effects.once`)."""
    return once(
        services.journal,
        batches.stream(attempt.batch),
        key=f"{attempt.key}/{step}",
        event=event,
        plan={"model": attempt.model, "attempt": attempt.key},
        **calls,
    )


def plan_facts(plan: dict[str, Any]) -> dict[str, Any]:
    """What was planned, as part of the outcome."""
    return {k: v for k, v in plan.items() if k != "effect"}


def entry(attempt: Attempt, step: str, event: str, facts: dict[str, Any]) -> journal.Entry:
    """An event of the attempt, in its batch's stream."""
    stream = batches.stream(attempt.batch)
    # Through JSON, so that a recorded event and a fresh one are the same thing.
    return journal.Entry(stream, f"{attempt.key}/{step}", event, json.loads(json.dumps(facts)))
