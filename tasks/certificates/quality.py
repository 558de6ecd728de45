"""Quality that a promoted version lost although its gate let it pass, said wherever it is shown."""

from collections.abc import Iterator

from tasks.certificates.gate_words import enrolled_as
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from unlearning.policy.quality import holdout_fall, what_helps_quality


def quality_lost(services: Services, history: AttemptHistory) -> str:
    """From what to what holdout accuracy fell, and what would help; empty if it may not have."""
    fell = holdout_fall(history.evaluated.evidence) if history.evaluated else ""
    if not fell:
        return ""
    enrolled = enrolled_as(services, history.attempt)
    by_recipe = history.made is not None and history.made.recipe
    helps = ""
    if enrolled is not None and not by_recipe:
        helps = what_helps_quality(enrolled.unlearning, history.attempt.method)
    return f"{fell} {helps}".strip()


def losses_in_service(services: Services) -> Iterator[str]:
    """A sentence for every enrolled model whose version was promoted with such a loss."""
    for one in enrolled_models(services.journal):
        promoted = read_model(services.journal, one.model).promoted.get(one.version)
        if promoted is None or one.is_withdrawn:
            continue
        attempts = read_batch(services.journal, promoted.facts.batch).attempts
        made = attempts.get(promoted.facts.attempt)
        said = quality_lost(services, made) if made else ""
        if said:
            yield f"{one.model} version {one.version}: {said}"
