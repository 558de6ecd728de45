"""A model taken out by a person: asked no more, and remembered with all that it learned."""

from tasks.attempts.planning import under_way
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import ModelUnenrolled
from tasks.journal.reading import read_batch, read_enrollment, read_model
from tasks.registry.services import Services
from tasks.store import lease
from unlearning.errors import ConflictError, SettingsError


def unenroll(services: Services, model: str, *, name: str, reason: str) -> int | None:
    """Record that the model is asked no more; returns the version that still holds its alias.

    Its tables are still searched, what its weights learned stays on record, and versions that
    remembered before are still retired. Its alias stays as it is.

    Raises:
        SettingsError: there is no name, or no reason.
        DataError: it was never enrolled.
        ConflictError: it was taken out before, a run is at work, or a version of it that an open
            batch has made is to be promoted.
    """
    name, reason = name.strip(), reason.strip()
    if not (name and reason):
        raise SettingsError(
            "A model is taken out by somebody for a reason; give --by NAME and --reason TEXT."
        )
    if holder := lease.take(services.store):
        raise ConflictError(
            f"Another run ({holder}) is at work; take {model} out when it has ended."
        )
    try:
        enrollment = read_enrollment(services.journal, model)
        history = read_model(services.journal, model)
        if history.taken_out:
            raise ConflictError(
                f"{model} was taken out by {history.taken_out.name} on {history.taken_out_on} "
                "already; nothing was changed."
            )
        _refuse_half_promoted(services, enrollment)
        served = services.registry.alias_version(model)
        facts = ModelUnenrolled(name=name, reason=reason)
        event_id = ids.unenrolled(history.event_count + 1)
        services.journal.append(model_stream(model), event_id, facts)
    finally:
        lease.give_back(services.store)
    return served


def _refuse_half_promoted(services: Services, enrollment: Enrollment) -> None:
    """Stop if a run was cut off between a new version and its promotion, and can end that."""
    for batch, _ in services.journal.open_batches():
        attempt = under_way(services, batch, enrollment)
        if attempt is None:
            continue
        one = read_batch(services.journal, batch).attempts[attempt.key]
        is_half = one.registered is not None and one.promoted is None
        if is_half or (one.is_withdrawal_intended and one.withdrawn is None):
            raise ConflictError(
                f"An attempt on {enrollment.model} is half done in batch {batch}; end it with "
                "`expunge run`, then take the model out."
            )
