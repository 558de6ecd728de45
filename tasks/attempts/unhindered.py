"""Whom a batch holds up for no reason: nothing that hinders a model of it concerns them."""

from tasks.attempts.inputs import lost_rows
from tasks.attempts.planning import is_untouched, under_way
from tasks.attempts.served import concerned, why_unserved
from tasks.intake import batches
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import enrolled_models, read_batch
from tasks.registry.services import Services
from tasks.subjects.sent_ahead import send


def send_unhindered(services: Services, batch: str) -> str:
    """Let requests go ahead that concern no hindered model; returns the name of their batch.

    Hindered is a model that blocks the batch, or of which nobody knows which version answers.
    Empty if there is no such model, or it concerns all of the requests or none.

    Cost: a question to MLflow for each model, and the tables' matches.
    """
    staying: set[str] = set()
    for enrollment in enrolled_models(services.journal):
        if not enrollment.is_withdrawn and _is_hindered(services, batch, enrollment):
            staying |= _concerned(services, batch, enrollment)
    if not staying:
        return ""
    going = {d.record_id for d in batches.accepted(services, batch)} - staying
    return send(services, batch, going, counting(services, batch, going))


def counting(services: Services, batch: str, records: set[str]) -> list[str]:
    """Models with a plan that counts some of the records, and that is not carried out yet."""
    plans = read_batch(services.journal, batch).plans
    return [
        model
        for model, one in plans.items()
        if one.promoted is None and concerned(services, batch, model) & records
    ]


def _is_hindered(services: Services, batch: str, enrollment: Enrollment) -> bool:
    if is_untouched(services, batch, enrollment):
        return False
    latest = read_batch(services.journal, batch).plans.get(enrollment.model)
    if latest is not None and latest.blocked is not None and latest.registered is None:
        return True
    is_planned = under_way(services, batch, enrollment) is not None
    return not is_planned and bool(why_unserved(services, enrollment))


def _concerned(services: Services, batch: str, enrollment: Enrollment) -> set[str]:
    """Records with rows in its tables; all of its kind if nobody knows whose rows it learned."""
    found = concerned(services, batch, enrollment.model)
    if lost_rows(services, batch, enrollment).is_certain:
        return found
    kind, wanted = enrollment.dataset.subject_kind, batches.accepted(services, batch)
    return found | {d.record_id for d in wanted if d.subject_kind == kind}
