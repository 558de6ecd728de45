"""What a certificate says of how a gate judged: wider than by default, or on rows learned from."""

from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import ModelEnrolled
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.wider_gate import wider
from unlearning.gate.gate import GateDecision
from unlearning.policy.counted import counted


def words_of_gate(services: Services, attempt: Attempt) -> dict[str, str]:
    """What else a certificate says of how an attempt was judged, by field; only what applies."""
    enrolled = enrolled_as(services, attempt)
    if enrolled is None:
        return {}
    said = {"gate_was_wider": said_of(enrolled), "holdout_was_learned": overlap_of(enrolled)}
    return {field: sentence for field, sentence in said.items() if sentence}


def enrolled_as(services: Services, attempt: Attempt) -> Enrollment | None:
    """The latest enrolment with the rules that an attempt was judged by."""
    found = [
        event.facts.enrollment
        for event in services.journal.read(model_stream(attempt.model))
        if isinstance(event.facts, ModelEnrolled)
        and event.facts.config_digest == attempt.config_digest
    ]
    return found[-1] if found else None


def overlap_of(enrollment: Enrollment) -> str:
    """How much of the holdout may have been learned, so that it is no evidence; empty if none."""
    if not enrollment.shared_subjects and not enrollment.shared_rows:
        return ""
    rows = counted(enrollment.shared_rows, "holdout row")
    people = "person" if enrollment.shared_subjects == 1 else "people"
    return (
        f"When the model was enrolled, {enrollment.shared_subjects:,} {people} had rows in "
        f"training and holdout table, and {rows} could be found among the training "
        "rows."
    )


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


def nothing_left(decision: GateDecision) -> dict[str, float]:
    """How often any attack is right about the rows at most, where that is what let it pass."""
    if decision.outcome != "nothing left to see":
        return {}
    (bound,) = [one.value for one in decision.checks if one.name == "nothing_left_auc"]
    return {} if bound is None else {"nothing_left": bound}
