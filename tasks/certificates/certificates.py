"""One certificate per answered request: what was done and measured, and what was not proven."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tasks.certificates.answers import Answer, OutOfReach
from tasks.certificates.certified_models import models_for
from tasks.certificates.certified_tables import by_words_in_part, search_of
from tasks.certificates.grounds import Earlier, Grounds, certificate_key, grounds_of
from tasks.certificates.limits import Ground, not_proven
from tasks.certificates.outcomes import OUTCOMES, nowhere, outcome_of, request_of
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestFact
from tasks.journal.histories.request import request_history
from tasks.journal.journal import Entry
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects.matches import TableMatches
from unlearning.errors import ConflictError
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import bytes_digest

log = logging.getLogger("expunge.certificates")

TYPE = "expunge/erasure-certificate/v1"


def certify(services: Services, batch: str) -> int:
    """Write a certificate for every accepted request of the batch and close the request.

    Every effect that a certificate names was read back before; the same batch always gives the
    same bytes, so a second run writes nothing new.

    Raises:
        ConflictError: another run took over, or another certificate lies in the place of one.
    """
    lease.check(services.store)
    grounds, wanted = grounds_of(services, batch), batches.accepted(services, batch)
    with ThreadPoolExecutor(16) as pool:
        made = pool.map(lambda d: _certify_one(services, batch, d, grounds), wanted)
        services.journal.append_all(made)
    log.info("%d certificates", len(wanted))
    return len(wanted)


def _certify_one(
    services: Services, batch: str, request: Disposition, grounds: Grounds
) -> Entry[RequestFact]:
    """Write a certificate; returns what is to be journalled."""
    located = [m for m in grounds.found if request.record_id in m.rows]
    body = _body(batch, request, grounds, located)
    if request.subject in grounds.earlier:
        body["earlier_certificates"] = grounds.earlier[request.subject].certificates
    body["decided_at"] = grounds.decided_at
    body["code_version"] = grounds.code_version
    data = _written(services, batch, request, json.dumps(body, indent=2, allow_nan=False).encode())
    answer = OUTCOMES[body["outcome"]](
        batch=batch,
        request_id=request.request_id,
        subject=request.subject,
        reason=_reason(request, located, body, grounds),
        certificate=certificate_key(request.request_id),
        certificate_digest=bytes_digest(data),
    )
    return Entry(request_stream(request.record_id), ids.certified(batch), answer)


def _body(
    batch: str, request: Disposition, grounds: Grounds, located: list[TableMatches]
) -> dict[str, Any]:
    """What was asked, searched, erased and unlearned."""
    body: dict[str, Any] = {
        "type": TYPE,
        "outcome": outcome_of(
            request, grounds.found, grounds.tables, grounds.left(request.subject)
        ),
        "request": request_of(request),
        "batch": batch,
        "tables_searched": [
            search_of(m) | grounds.spellings.searched(m.uri)
            for m in grounds.found
            if m.is_searched and m.kind == request.subject_kind
        ],
        **grounds.limits,
        **grounds.spellings.decision(request.record_id),
    }
    if not located:
        body["not_proven"] = not_proven(grounds.spellings.ground(request.record_id))
        return body
    rows = {m.uri: m.rows[request.record_id] for m in located}
    stated = [grounds.done_in(uri, rows[uri]) for uri in rows]
    body["tables"] = stated
    tables = {*rows}
    body["models"] = models_for(grounds.models, request.record_id, tables)
    lost = tables - grounds.tables.keys()
    body["not_proven"] = not_proven(
        Ground(
            is_found=True,
            is_settled=request.record_id in grounds.spellings.settled,
            is_erased=lost < tables,
            is_partly_by_words=by_words_in_part(stated),
            is_partly_searched=any(one.get("not_searched") for one in stated),
            is_gone=bool(lost),
            objects=[found for one in stated for found in one.get("objects", [])],
            may_point=any(one["table"] in grounds.pointing for one in stated),
            has_strangers=any(k.startswith("models_never") for one in stated for k in one),
            models=body["models"],
        )
    )
    approved = grounds.approver or _approved_before(body["models"])
    return body | ({"approved_by": approved} if approved else {})


def _approved_before(models: list[dict[str, Any]]) -> str:
    """Who approved the earlier batches in which models forgot the rows; empty if nobody had to."""
    return ", ".join(sorted({one["approved_by"] for one in models if "approved_by" in one}))


def _written(services: Services, batch: str, request: Disposition, data: bytes) -> bytes:
    """The certificate's bytes as they lie in the store: those of the first run that came so far.

    A later one may say more, such as that the model went out of service since; what was said holds
    for the moment that it names.
    """
    key = certificate_key(request.request_id)
    if services.store.put_if_absent(key, data):
        return data
    before = services.store.get(key)
    told = request_history(services.journal.read(request_stream(request.record_id)))
    answer = told.answer_in(batch)
    if answer is None:
        known, made = json.loads(before), json.loads(data)
        same = all(known[name] == made[name] for name in ("batch", "request", "outcome"))
    else:
        same = answer.certificate_digest == bytes_digest(before)
    if not same:
        raise ConflictError(f"Another certificate lies under {key}; look at it before going on.")
    return before


def _reason(
    request: Disposition, located: list[TableMatches], body: dict[str, Any], grounds: Grounds
) -> str:
    """What the request is told in one line, from the effects that its certificate states."""
    if located:
        said = [_answer(request, located, body, grounds).sentence]
    else:
        closed = grounds.closed_of(request.subject_kind)
        said = nowhere(request, grounds.found, closed, grounds.spellings)
    said += [
        f"nothing could be erased in {uri} before, see {key}"
        for uri, key in grounds.left(request.subject).items()
        if uri not in {m.uri for m in located}
    ]
    before = grounds.earlier.get(request.subject, Earlier()).erased_by
    return "; ".join(said + ([f"erased before, see {before}"] if before else []))


def _answer(
    request: Disposition, located: list[TableMatches], body: dict[str, Any], grounds: Grounds
) -> Answer:
    record, tables = request.record_id, {m.uri for m in located}
    unstated = {m for m, uri in grounds.trained_on.items() if uri in tables}
    unstated -= {m["model"] for m in body["models"]}
    return Answer(
        rows=sum(
            one["rows_of_this_request"] for one in body["tables"] if one["table"] in grounds.tables
        ),
        out_of_reach=[
            OutOfReach(m.uri, m.rows[record], grounds.closed_by(m.uri))
            for m in located
            if m.uri not in grounds.tables
        ],
        is_reached=bool(tables & grounds.tables.keys()),
        models=body["models"],
        is_erased_meanwhile=request.subject in grounds.erased_meanwhile,
        nothing_left=sorted(unstated & grounds.nothing_left),
        unknown=sorted(unstated - grounds.nothing_left - grounds.untouched),
    )
