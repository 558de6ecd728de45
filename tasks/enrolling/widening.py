"""Who answers for a gate that is wider than the default, or than one that rejected a candidate."""

from collections.abc import Iterator

from tasks.enrolling.source import ModelSource
from tasks.journal.events.attempts import CandidateRejected
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ModelEnrolled
from tasks.journal.reading import read_batch, read_model
from tasks.registry.services import Services
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.wider_gate import why_blind, wider
from unlearning.errors import SettingsError


def refuse_unnamed(services: Services, source: ModelSource) -> None:
    """Refuse a gate that sees nothing, and a wider one that nobody answers for.

    Raises:
        SettingsError: the policy is such a one.
    """
    if blind := why_blind(source.policy):
        raise SettingsError(
            f"The gate of {source.model} would be blind: {blind}; give the policy narrower limits."
        )
    default = wider(source.policy, than=GatePolicy())
    rejected = wider_than_rejecting(services, source)
    is_answered = bool(source.widened_by.strip() and source.widened_because.strip())
    if is_answered or not (default or rejected):
        return
    than = "the default" if default else "one that rejected a candidate of it"
    where = ", ".join(default or rejected)
    raise SettingsError(
        f"The gate of {source.model} would be wider than {than} ({where}); say who answers for it "
        "and why with --widened-by and --widened-because, which stand in every certificate, or "
        "give the policy narrower limits.",
        line="--widened-by NAME --widened-because TEXT",
    )


def wider_than_rejecting(services: Services, source: ModelSource) -> tuple[str, ...]:
    """Where the gate is wider than one that rejected a candidate of the model."""
    found = [wider(source.policy, than=one) for one in _rejecting(services, source.model)]
    return tuple(dict.fromkeys(said for one in found for said in one))


def _rejecting(services: Services, model: str) -> Iterator[GatePolicy]:
    """Policies under which a candidate was rejected."""
    rules = {
        event.facts.config_digest: event.facts.enrollment.policy
        for event in services.journal.read(model_stream(model))
        if isinstance(event.facts, ModelEnrolled)
    }
    for one in read_model(services.journal, model).measured:
        attempt = read_batch(services.journal, one.batch).attempts.get(one.attempt)
        if attempt and isinstance(attempt.judged, CandidateRejected) and one.config in rules:
            yield rules[one.config]
