"""The outcome of a request, what it asked, and what was not searched for it."""

from collections.abc import Sequence
from typing import Any

from tasks.journal.events.requests import RequestErased, SubjectNotFound, SubjectUncertain
from tasks.journal.reading import closed_tables, read_batch
from tasks.registry.services import Services
from tasks.subjects.matches import TableMatches
from tasks.subjects.suppression_list import load
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition

OUTCOMES = {
    "erased": RequestErased,
    "not_found": SubjectNotFound,
    "cannot_tell": SubjectUncertain,
}
"""The event of each outcome."""

NOWHERE = {
    "cannot_tell": "no table holds a row under exactly this id, but not all that models learned "
    "from could be searched",
}
"""The reason of an outcome without rows, whatever was found of other spellings."""


def outcome_of(request: Disposition, found: Sequence[TableMatches]) -> str:
    """`erased` if rows were found; else `not_found`, or `cannot_tell` if not all was searched.

    Of a kind whose last table was closed since, nothing was searched.
    """
    if any(request.record_id in m.rows for m in found):
        return "erased"
    mine = [m for m in found if m.kind == request.subject_kind]
    is_all = all((m.is_searched or m.is_closed) and not m.unread for m in mine)
    is_answered = is_all and any(m.is_searched for m in mine)
    return "not_found" if is_answered else "cannot_tell"


def limits_of(services: Services, found: Sequence[TableMatches]) -> dict[str, Any]:
    """Tables that were closed, and those that could not be opened; nothing if there are none."""
    stated: dict[str, Any] = {}
    if missing := [m.uri for m in found if not (m.is_searched or m.is_closed)]:
        stated["tables_not_searched"] = missing
    if unread := sorted({one for m in found for one in m.unread}):
        stated["models_not_asked"] = unread
    if closed := closed_tables(services.journal):
        stated["tables_closed"] = [
            {"table": uri, "closed_by": one.name, "reason": one.reason}
            for uri, one in closed.items()
        ]
    return stated


def request_of(request: Disposition) -> dict[str, str]:
    """What was asked, for whom and by when, as a certificate states it."""
    return {
        "request_id": request.request_id,
        "record_id": request.record_id,
        "subject_pseudonym": request.subject,
        "subject_kind": request.subject_kind,
        "received_at": request.received_at,
        "due_on": due_on(request.received_at).isoformat(),
        "ground": f"Art. 17(1)({request.ground}) GDPR" if request.ground else "not stated",
    }


def erased_since(
    services: Services, began: str, among: frozenset[str], *, but: str
) -> frozenset[str]:
    """Those of the pseudonyms whom other batches erased that began since then, or were at it.

    Cost: the suppression list, and a read of every batch that ever erased one of them.
    """
    found = frozenset[str]()
    for batch, who in load(services).by_batch.items():
        named = among & who.keys()
        if batch != but and named and read_batch(services.journal, batch).last_at > began:
            found |= named
    return found
