"""One certificate per answered request: what was done and measured, and what was not proven."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from tasks.approval.questions import approver
from tasks.intake import batches
from tasks.records.certified_models import certified_models, models_for
from tasks.store import journal, lease
from tasks.store.objects import ObjectStore
from tasks.subjects.resolution import TableMatches, matches
from tasks.subjects.suppression_list import earlier_requests
from unlearning.errors import ConflictError
from unlearning.policy.deadlines import due_date
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
_SEARCH = ("objects_searched", "bytes_searched", "ids_searched", "ids_searched_as_words", "hits")


def certify(store: ObjectStore, batch: str) -> int:
    """Write a certificate for every accepted request of the batch and close the request.

    Every effect that a certificate names was read back before; the same batch always gives the
    same bytes, so a second run writes nothing new.

    Raises:
        ConflictError: another run took over, or another certificate lies in the place of one.
    """
    lease.check(store)
    found = matches(store, batch)
    evidence = _evidence(store, batch) | {"earlier": earlier_requests(store, batch)}
    wanted = batches.accepted(store, batch)
    with ThreadPoolExecutor(16) as pool:
        made = pool.map(lambda d: _certify_one(store, batch, d, found, evidence), wanted)
        journal.append_all(store, made)
    log.info("%d certificates", len(wanted))
    return len(wanted)


def certificate_key(request_id: str) -> str:
    """Where the certificate of a request lies."""
    return f"certificates/{request_id}.json"


def _certify_one(
    store: ObjectStore,
    batch: str,
    request: Disposition,
    found: list[TableMatches],
    evidence: dict[str, Any],
) -> journal.Entry:
    """Write a certificate; returns what is to be journalled."""
    located = [m for m in found if request.record_id in m.rows]
    earlier = [certificate_key(r) for r in evidence["earlier"].get(request.subject, [])]
    body = {
        "type": TYPE,
        "outcome": "erased" if located else "not_found",
        "request": _request(request),
        "batch": batch,
        "tables_searched": [{"table": m.uri, "version": m.version} for m in found],
    }
    if located:
        erased = {t["table"]: t for t in evidence["tables"]}
        body["tables"] = [
            {**erased.get(m.uri, _gone(m.uri)), "rows_of_this_request": m.rows[request.record_id]}
            for m in located
        ]
        tables = {m.uri for m in located}
        body["models"] = models_for(evidence["models"], request.record_id, tables)
        body["not_proven"] = NOT_PROVEN
        if evidence["approved_by"]:
            body["approved_by"] = evidence["approved_by"]
    if earlier:
        body["earlier_certificates"] = earlier
    body["decided_at"] = evidence["decided_at"]
    body["code_version"] = evidence["code_version"]
    key = certificate_key(request.request_id)
    data = _written(store, batch, request, json.dumps(body, indent=2, allow_nan=False).encode())
    event = "RequestErased" if located else "SubjectNotFound"
    facts = {"batch": batch, "certificate": key, "request_id": request.request_id}
    facts["certificate_digest"] = bytes_digest(data)
    facts["subject"] = request.subject
    facts["reason"] = _reason(request, located, is_unlearned=bool(body.get("models")))
    if earlier:
        facts["reason"] += f"; erased before, see {earlier[0]}"
    return journal.Entry(f"requests/{request.record_id}", f"{batch}/certified", event, facts)


def _written(store: ObjectStore, batch: str, request: Disposition, data: bytes) -> bytes:
    """The certificate's bytes as they lie in the store: those of the first run that came so far.

    A later one may say more, such as that the model went out of service since; what was said holds
    for the moment that it names.
    """
    key = certificate_key(request.request_id)
    if store.put_if_absent(key, data):
        return data
    before = store.get(key)
    told = journal.find(store, f"requests/{request.record_id}", f"{batch}/certified")
    if told is None:
        known, made = json.loads(before), json.loads(data)
        same = all(known[name] == made[name] for name in ("batch", "request", "outcome"))
    else:
        same = told.facts["certificate_digest"] == bytes_digest(before)
    if not same:
        raise ConflictError(f"Another certificate lies under {key}; look at it before going on.")
    return before


def _by_table(events: list[journal.Event], name: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event.name == name:
            found.setdefault(event.facts["table"], []).append(event.facts)
    return found


def _erased(erased: list[dict[str, Any]], purged: list[dict[str, Any]]) -> dict[str, Any]:
    """What was done in one table, its rounds as one; others may have written between them."""
    first, last = erased[0], erased[-1]
    before = {k: first[k] for k in ("version_before", "rows_before")}
    matched = sum(one["rows_matched"] for one in erased)
    appended = last["rows_after"] - first["rows_before"] + matched
    return {
        **last,
        **before,
        "rows_matched": matched,
        "rows_appended": appended,
        "files_removed": sum(one["files_removed"] for one in purged),
        "files_left_over": purged[-1]["leftover_files"],
        **{k: v for k, v in purged[-1].items() if k in _SEARCH},
    }


def _gone(uri: str) -> dict[str, str]:
    return {
        "table": uri,
        "outcome": "gone",
        "reason": "The table was no more when its rows were to be erased; none was erased there.",
    }


def _request(request: Disposition) -> dict[str, str]:
    received = datetime.fromisoformat(request.received_at)
    return {
        "request_id": request.request_id,
        "record_id": request.record_id,
        "subject_pseudonym": request.subject,
        "received_at": request.received_at,
        "due_on": due_date(received.date()).isoformat(),
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


def _evidence(store: ObjectStore, batch: str) -> dict[str, Any]:
    """Tables and models of the batch as their outcomes were recorded."""
    events = journal.read(store, batches.stream(batch))
    erased, purged = (_by_table(events, name) for name in ("RowsErased", "FilesPurged"))
    tables = [_erased(erased[uri], rounds) for uri, rounds in purged.items()]
    validated = next(e for e in events if e.name == "BatchValidated")
    decided = [e.at for e in events if e.name in ("RowsResolved", "FilesPurged", "TableGone")]
    return {
        "tables": tables,
        "models": certified_models(store, batch),
        "approved_by": approver(events),
        "decided_at": decided[-1],
        "code_version": validated.facts["code_version"],
    }
