"""Whether the rows of a batch may be erased yet."""

from tasks.attempts.planning import has_forgotten, is_untouched
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.subjects.resolution import refuse_unsearched
from unlearning.errors import ConflictError


def refuse_unforgotten(services: Services, batch: str) -> None:
    """Stop before rows are erased that a served model was not made to forget.

    A version that another batch has promoted since descends from one that was, and has forgotten.

    Raises:
        ConflictError: a model was enrolled after the batch was planned; the next run asks it too,
            and searches its tables.
    """
    refuse_unsearched(services, batch)
    for enrollment in enrolled_models(services.journal):
        if not (
            enrollment.is_withdrawn
            or is_untouched(services, batch, enrollment)
            or has_forgotten(services, batch, enrollment)
        ):
            raise ConflictError(
                f"Version {enrollment.version} of {enrollment.model} was enrolled while batch "
                f"{batch} was at work; run again, so that it forgets those subjects too."
            )
