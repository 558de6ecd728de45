"""The outcome of a request, what it asked, and what was not searched for it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tasks.certificates.certified_spellings import Spellings
from tasks.journal.events.requests import RequestErased, SubjectNotFound, SubjectUncertain
from tasks.journal.reading import closed_tables
from tasks.registry.services import Services
from tasks.subjects.matches import TableMatches
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition

OUTCOMES = {
    "erased": RequestErased,
    "not_found": SubjectNotFound,
    "cannot_tell": SubjectUncertain,
}
"""The event of each outcome."""


def outcome_of(
    request: Disposition,
    found: Sequence[TableMatches],
    reached: Collection[str],
    left: Collection[str] = (),
) -> str:
    """`erased` if a table with rows was erased from or purged; `not_found` if all was searched.

    Else `cannot_tell`: every table with rows was closed, or could not be opened, or not all was
    searched. Of a kind whose last table was closed since, nothing was searched.

    Args:
        request: What was asked.
        found: What the search of each table found.
        reached: Tables that were erased from or purged.
        left: Tables where nothing was erased for an earlier request of the same subject, and that
            were not searched for this one.
    """
    located = [m.uri for m in found if request.record_id in m.rows]
    if located:
        return "erased" if any(uri in reached for uri in located) else "cannot_tell"
    mine = [m for m in found if m.kind == request.subject_kind]
    is_all = all((m.is_searched or m.is_closed) and not m.unread for m in mine) and not left
    return "not_found" if is_all and any(m.is_searched for m in mine) else "cannot_tell"


def nowhere(
    request: Disposition,
    found: Sequence[TableMatches],
    closed: Mapping[str, str],
    spellings: Spellings,
) -> list[str]:
    """What a request without rows is told, in parts: the search, and each gap in it.

    Args:
        request: What was asked.
        found: What the search of each table found.
        closed: Who closed which tables of the request's kind.
        spellings: Where nearly the same ids were looked for.
    """
    mine = [m for m in found if m.kind == request.subject_kind]
    gaps = [f"{uri} was not searched, for {name} closed it" for uri, name in closed.items()]
    gaps += [f"{m.uri} could not be opened" for m in mine if not (m.is_searched or m.is_closed)]
    unread = dict.fromkeys(one for m in mine for one in m.unread)
    gaps += [f"nobody can tell whose rows were learned by {one}" for one in unread]
    if any(m.is_searched for m in mine):
        return [spellings.in_vain(request.record_id, is_all=not gaps), *gaps]
    return [spellings.unsearched, *gaps]


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
