"""One certificate per answered request: what was done and measured, and what was not proven."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.certificates.answers import Answer
from tasks.certificates.certified_models import CertifiedModel, certified_models, models_for
from tasks.certificates.certified_spellings import Spellings, spellings_of
from tasks.certificates.certified_tables import (
    besides,
    by_words_in_part,
    erasure_of,
    gone,
    search_of,
)
from tasks.certificates.limits import Ground, not_proven
from tasks.certificates.outcomes import (
    NOWHERE,
    OUTCOMES,
    erased_since,
    limits_of,
    outcome_of,
    request_of,
)
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.batches import ModelUntouched, NothingLeftToForget
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestFact
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.histories.request import request_history
from tasks.journal.journal import Entry
from tasks.journal.reading import enrolled_models, read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects.matches import TableMatches, matches
from tasks.subjects.suppression_list import earlier_requests
from unlearning.errors import ConflictError, DataError
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import bytes_digest

log = logging.getLogger("expunge.certificates")

TYPE = "expunge/erasure-certificate/v1"


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What the certificates of a batch rest on, as it was recorded."""

    found: list[TableMatches]
    limits: dict[str, Any]
    """What was not searched, and why."""
    tables: dict[str, dict[str, Any]]
    """What was done in each table, by its URI."""
    models: list[CertifiedModel]
    trained_on: dict[str, str]
    """Table of each enrolled model, by its name."""
    untouched: frozenset[str]
    """Models that have none of the batch's rows in them."""
    nothing_left: frozenset[str]
    """Models that had forgotten all of the batch's rows before."""
    earlier: dict[str, list[str]]
    """Requests by which subjects had been erased before, by pseudonym."""
    erased_meanwhile: frozenset[str]
    """Subjects whom another batch erased that was at work since this one was frozen."""
    spellings: Spellings
    approver: str
    decided_at: str
    code_version: str


def certify(services: Services, batch: str) -> int:
    """Write a certificate for every accepted request of the batch and close the request.

    Every effect that a certificate names was read back before; the same batch always gives the
    same bytes, so a second run writes nothing new.

    Raises:
        ConflictError: another run took over, or another certificate lies in the place of one.
    """
    lease.check(services.store)
    grounds, wanted = _grounds(services, batch), batches.accepted(services, batch)
    with ThreadPoolExecutor(16) as pool:
        made = pool.map(lambda d: _certify_one(services, batch, d, grounds), wanted)
        services.journal.append_all(made)
    log.info("%d certificates", len(wanted))
    return len(wanted)


def certificate_key(request_id: str) -> str:
    """Where the certificate of a request lies."""
    return f"certificates/{request_id}.json"


def _certify_one(
    services: Services, batch: str, request: Disposition, grounds: _Grounds
) -> Entry[RequestFact]:
    """Write a certificate; returns what is to be journalled."""
    located = [m for m in grounds.found if request.record_id in m.rows]
    earlier = [certificate_key(r) for r in grounds.earlier.get(request.subject, [])]
    body = _body(batch, request, grounds, located)
    if earlier:
        body["earlier_certificates"] = earlier
    body["decided_at"] = grounds.decided_at
    body["code_version"] = grounds.code_version
    data = _written(services, batch, request, json.dumps(body, indent=2, allow_nan=False).encode())
    reason = _reason(request, located, body, grounds)
    answer = OUTCOMES[body["outcome"]](
        batch=batch,
        request_id=request.request_id,
        subject=request.subject,
        reason=f"{reason}; erased before, see {earlier[0]}" if earlier else reason,
        certificate=certificate_key(request.request_id),
        certificate_digest=bytes_digest(data),
    )
    return Entry(request_stream(request.record_id), ids.certified(batch), answer)


def _body(
    batch: str, request: Disposition, grounds: _Grounds, located: list[TableMatches]
) -> dict[str, Any]:
    """What was asked, searched, erased and unlearned."""
    body: dict[str, Any] = {
        "type": TYPE,
        "outcome": outcome_of(request, grounds.found),
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
    mine: dict[str, dict[str, Any]] = {
        m.uri: {"rows_of_this_request": m.rows[request.record_id]} for m in located
    }
    body["tables"] = [grounds.tables.get(uri, gone(uri)) | mine[uri] for uri in mine]
    tables = {*mine}
    body["models"] = models_for(grounds.models, request.record_id, tables)
    lost = tables - grounds.tables.keys()
    body["not_proven"] = not_proven(
        Ground(
            is_found=True,
            is_settled=request.record_id in grounds.spellings.settled,
            is_erased=lost < tables,
            is_partly_by_words=by_words_in_part(body["tables"]),
            is_partly_searched=any(one.get("not_searched") for one in body["tables"]),
            is_gone=bool(lost),
            objects=[found for one in body["tables"] for found in one.get("objects", [])],
            has_strangers=any(k.startswith("models_never") for one in body["tables"] for k in one),
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


def _grounds(services: Services, batch: str) -> _Grounds:
    """Tables and models of the batch as their outcomes were recorded."""
    history = read_batch(services.journal, batch)
    if history.validated is None:
        raise DataError(f"Batch {batch} was never validated, so it answers nobody; run again.")
    named = frozenset(d.subject for d in batches.accepted(services, batch))
    return _Grounds(
        found=matches(services, batch),
        limits=limits_of(services, matches(services, batch)),
        tables={
            uri: erasure_of(uri, one) | besides(uri, history)
            for uri, one in history.tables.items()
            if one.purged
        },
        models=certified_models(services, batch),
        trained_on={e.model: e.dataset.uri for e in enrolled_models(services.journal)},
        untouched=_noted(history, ModelUntouched),
        nothing_left=_noted(history, NothingLeftToForget),
        earlier=earlier_requests(services, batch),
        erased_meanwhile=erased_since(services, history.began_at, named, but=batch),
        spellings=spellings_of(services, history),
        approver=history.approver,
        decided_at=history.decided_at,
        code_version=history.validated.code_version,
    )


def _noted(
    history: BatchHistory, kind: type[ModelUntouched | NothingLeftToForget]
) -> frozenset[str]:
    return frozenset(e.facts.model for e in history.untouched if isinstance(e.facts, kind))


def _reason(
    request: Disposition, located: list[TableMatches], body: dict[str, Any], grounds: _Grounds
) -> str:
    """What the request is told in one line, from the effects that its certificate states."""
    if not located:
        if body["outcome"] == "not_found":
            return grounds.spellings.in_vain(request.record_id)
        return NOWHERE[body["outcome"]]
    reached = [m.rows[request.record_id] for m in located if m.uri in grounds.tables]
    tables, stated = {m.uri for m in located}, {m["model"] for m in body["models"]}
    unstated = {m for m, uri in grounds.trained_on.items() if uri in tables} - stated
    answer = Answer(
        rows=sum(reached),
        rows_out_of_reach=sum(m.rows[request.record_id] for m in located) - sum(reached),
        is_out_of_reach=bool(tables - grounds.tables.keys()),
        models=body["models"],
        is_erased_meanwhile=request.subject in grounds.erased_meanwhile,
        nothing_left=sorted(unstated & grounds.nothing_left),
        unknown=sorted(unstated - grounds.nothing_left - grounds.untouched),
    )
    return answer.sentence
