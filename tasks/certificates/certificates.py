"""One certificate per answered request: what was done and measured, and what was not proven."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tasks.certificates.certified_models import CertifiedModel, certified_models, models_for
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.batches import FilesPurged
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestErased, RequestFact, SubjectNotFound
from tasks.journal.histories.request import request_history
from tasks.journal.histories.table import TableHistory
from tasks.journal.journal import Entry
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects.matches import TableMatches, matches
from tasks.subjects.suppression_list import earlier_requests
from unlearning.errors import ConflictError, DataError
from unlearning.policy.deadlines import due_on
from unlearning.policy.deletion import Disposition
from unlearning.policy.digests import bytes_digest

log = logging.getLogger("expunge.certificates")

TYPE = "expunge/erasure-certificate/v1"
NOT_PROVEN = [
    "Approximate unlearning is not retraining: other attacks may still find traces of the rows.",
    "A model whose outcome is 'cannot decide' passed because its policy accepts that.",
    "A model with no_control had no rows planted to see whether the attack would notice a failure.",
    "Rows of a small request may have been judged together with rows of earlier requests.",
    "A model that is withdrawn or out of service still remembers the rows in its weights.",
    "A retrained model kept the tensors under kept_from_parent, if any, from the one before.",
    "Backups, exports and copies outside the stated tables and models were not looked at.",
    "Other columns of the tables were searched for the ids as stored, not inside compressed pages.",
    (
        "Earlier model versions remember the rows and exist until the days under earlier_versions; "
        "the proof of their purge will be the events VersionPurged in the models' journals."
    ),
    "This file is not signed.",
]


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What the certificates of a batch rest on, as it was recorded."""

    found: list[TableMatches]
    tables: dict[str, dict[str, Any]]
    """What was done in each table, by its URI."""
    models: list[CertifiedModel]
    earlier: dict[str, list[str]]
    """Requests by which subjects had been erased before, by pseudonym."""
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
    reason = _reason(request, located, is_unlearned=bool(body.get("models")))
    answered = RequestErased if located else SubjectNotFound
    answer = answered(
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
        "outcome": "erased" if located else "not_found",
        "request": _request(request),
        "batch": batch,
        "tables_searched": [{"table": m.uri, "version": m.version} for m in grounds.found],
    }
    if not located:
        return body
    body["tables"] = [
        {
            **grounds.tables.get(m.uri, _gone(m.uri)),
            "rows_of_this_request": m.rows[request.record_id],
        }
        for m in located
    ]
    tables = {m.uri for m in located}
    body["models"] = models_for(grounds.models, request.record_id, tables)
    body["not_proven"] = NOT_PROVEN
    if grounds.approver:
        body["approved_by"] = grounds.approver
    return body


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
    return _Grounds(
        found=matches(services, batch),
        tables={uri: _erased(uri, one) for uri, one in history.tables.items() if one.purged},
        models=certified_models(services, batch),
        earlier=earlier_requests(services, batch),
        approver=history.approver,
        decided_at=history.decided_at,
        code_version=history.validated.code_version,
    )


def _erased(uri: str, table: TableHistory) -> dict[str, Any]:
    """What was done in one table, its rounds as one; others may have written between them."""
    first, last = table.erased[0], table.erased[-1]
    matched = sum(one.rows_matched for one in table.erased)
    return {
        "table": uri,
        "version_before": first.version_before,
        "rows_before": first.rows_before,
        "rows_matched": matched,
        "rows_appended": last.rows_after - first.rows_before + matched,
        "version_after": last.version_after,
        "rows_after": last.rows_after,
        "rows_matched_after": last.rows_matched_after,
        "files_removed": sum(one.files_removed for one in table.purged),
        **_searched(table.purged[-1]),
    }


def _searched(purged: FilesPurged) -> dict[str, int]:
    """The last search of the table's folder for what should not be there."""
    return {
        "files_left_over": purged.leftover_files,
        "objects_searched": purged.objects_searched,
        "bytes_searched": purged.bytes_searched,
        "ids_searched": purged.ids_searched,
        "ids_searched_as_words": purged.ids_searched_as_words,
        "hits": purged.hits,
    }


def _gone(uri: str) -> dict[str, str]:
    return {
        "table": uri,
        "outcome": "gone",
        "reason": "The table was no more when its rows were to be erased; none was erased there.",
    }


def _request(request: Disposition) -> dict[str, str]:
    return {
        "request_id": request.request_id,
        "record_id": request.record_id,
        "subject_pseudonym": request.subject,
        "received_at": request.received_at,
        "due_on": due_on(request.received_at).isoformat(),
        "ground": f"Art. 17(1)({request.ground}) GDPR" if request.ground else "not stated",
    }


def _reason(request: Disposition, located: list[TableMatches], *, is_unlearned: bool) -> str:
    rows = sum(m.rows[request.record_id] for m in located)
    if not located:
        return "no table holds a row of the subject"
    if not rows:
        return _gone_before(is_unlearned=is_unlearned)
    done = "erased and unlearned" if is_unlearned else "erased; no model was trained on them"
    return f"{rows} {'row' if rows == 1 else 'rows'} {done}"


def _gone_before(*, is_unlearned: bool) -> str:
    done = "purged from the files" + (" and unlearned" if is_unlearned else "")
    return f"others had deleted the rows before; {done}"
