"""Requests that nearly name somebody: a person says that exactly this id is meant, or none."""

from typing import Literal

from tasks.journal.events import ids
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import (
    RequestSettled,
    RequestUnclear,
    RequestWithdrawn,
    told_because,
)
from tasks.registry.services import Services
from unlearning.errors import DataError, SettingsError
from unlearning.policy.deletion import Disposition

Choice = Literal["exact", "withdraw"]


def settle(
    services: Services, request_id: str, choice: Choice, *, name: str, reason: str
) -> Disposition:
    """Record what a person decided about a request that nearly names somebody.

    `exact` has the next run answer it by exactly the id that it has; `withdraw` closes it, since
    another id was meant, which comes as a new request.

    Raises:
        SettingsError: there is no name, or no reason.
        DataError: no request of this id waits for that.
    """
    name, reason = name.strip(), reason.strip()
    if not (name and reason):
        raise SettingsError("Say who decides with --by NAME, and why with --reason TEXT.")
    record, request = _unclear(services, request_id)
    exactly = "exactly this id is meant" if choice == "exact" else "withdrawn"
    told = told_because(request, f"{name} settled it, {exactly}: {reason}")
    event = RequestSettled if choice == "exact" else RequestWithdrawn
    stream = request_stream(record)
    batch = services.journal.latest([record])[record].facts.batch
    facts = event(disposition=told, batch=batch, name=name, why=reason)
    services.journal.append(stream, ids.SETTLED_BY_PERSON, facts)
    return told


def _unclear(services: Services, request_id: str) -> tuple[str, Disposition]:
    for record, event in services.journal.open_requests():
        facts = event.facts
        if isinstance(facts, RequestUnclear) and facts.request_id == request_id:
            return record, facts.disposition
    raise DataError(
        f"No request {request_id!r} waits for somebody to say who is meant; `expunge status` "
        "lists those that do as unclear."
    )
