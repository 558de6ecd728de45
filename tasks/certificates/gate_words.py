"""What a certificate says of a gate that was wider than it is by default."""

from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import ModelEnrolled
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.wider_gate import wider


def why_wider(services: Services, attempt: Attempt) -> str:
    """How the gate that judged an attempt was wider, by whom and why; empty if it was not."""
    found = [
        event.facts.enrollment
        for event in services.journal.read(model_stream(attempt.model))
        if isinstance(event.facts, ModelEnrolled)
        and event.facts.config_digest == attempt.config_digest
    ]
    return said_of(found[-1]) if found else ""


def said_of(enrollment: Enrollment) -> str:
    """How the gate of an enrolment is wider, by whom and why; empty if it is not."""
    default = wider(enrollment.policy, than=GatePolicy())
    rejected = enrollment.wider_than_rejecting
    if not default and not rejected:
        return ""
    by = enrollment.widened_by or "somebody who is not on record"
    why = enrollment.widened_because.strip().rstrip(".") or "(no reason is on record)"
    told: list[str] = []
    if default:
        told.append(f"The gate was wider than expunge's default: {', '.join(default)}.")
    if rejected:
        now = ", ".join(rejected)
        told.append(f"It was widened after it had rejected a candidate of this model: {now}.")
    return " ".join([*told, f"By {by}, because {why}."])
