"""Validate a batch of deletion requests with Great Expectations, row by row."""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pandas as pd

from tasks.intake.columns import IdRules, columns, may_own_its_id
from tasks.intake.kept_rows import Record
from tasks.intake.legal_holds import register
from tasks.intake.request_files import RawRow
from tasks.intake.suite import HELD, ON_RECORD, USED, WITHDREW, failures
from tasks.journal import journal
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import Answered, RequestWithdrawn
from tasks.journal.reading import ever_kinds
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.policy.deletion import Disposition, is_open
from unlearning.policy.digests import bytes_digest
from unlearning.policy.subject_kinds import PERSON

_CLAIMS = "requests/ids/"
# Nobody is refused because the clock of this machine, or of the intake, is wrong by a day.
_SKEW = timedelta(days=2)
_VALID = "valid"
_WRITERS = 16


def judge(
    services: Services, records: Sequence[Record], key: bytes, ids: IdRules | None = None
) -> list[Disposition]:
    """One disposition per record: accepted, quarantined, duplicate or on hold.

    `ids` says what can be an id in the tables; without it, any text can.
    """
    return _claim_ids(services, _judged(services, records, key, ids)) if records else []


def foretell(
    services: Services, rows: Sequence[RawRow], ids: IdRules | None = None
) -> dict[str, list[int]]:
    """Why rows of a file will be quarantined, and which: numbers from 1; changes nothing.

    A request_id that another subject's request has used is found by the run alone.
    """
    records = [Record(f"row-{number}", row) for number, row in enumerate(rows, start=1)]
    key = services.settings.pseudonym_secret()
    found: dict[str, list[int]] = {}
    judged = _judged(services, records, key, ids) if records else []
    for number, one in enumerate(judged, start=1):
        if one.outcome == "quarantined":
            found.setdefault(one.reason, []).append(number)
    return found


def _judged(
    services: Services, records: Sequence[Record], key: bytes, ids: IdRules | None = None
) -> list[Disposition]:
    """What the rows themselves say, before anybody claims a request_id."""
    frame = _frame(services, records, key, ids)
    first: dict[int, tuple[str, str]] = {}
    for outcome, reason, rows in failures(frame, ever_kinds(services.journal)):
        for row in rows:
            first.setdefault(row, (outcome, reason))
    return [_disposition(item, first) for item in frame.to_dict("records")]


def judge_again(services: Services, records: Collection[str]) -> list[Disposition]:
    """One disposition per record that was found valid before: accepted, or on hold.

    Nothing but a hold is looked at: the record owns its request_id, whoever uses it since, and a
    rule that came later refuses new requests only. Records that another batch has answered since
    are left out.
    """
    held = register(services)
    latest = services.journal.latest(records)
    known = [
        event.facts.disposition
        for _, event in sorted(latest.items())
        if is_open(event.status) and not isinstance(event.facts, Answered)
    ]
    return [
        replace(d, outcome="on_hold", reason=HELD)
        if held.protects(d)
        else replace(d, outcome="accepted", reason=_VALID)
        for d in known
    ]


def _frame(
    services: Services, records: Sequence[Record], key: bytes, ids: IdRules | None
) -> pd.DataFrame:
    kinds = ever_kinds(services.journal)
    held = register(services)
    limit = journal.now() + _SKEW
    rows = [
        {"row": number, **columns(record, held, limit, key, kinds, ids)}
        for number, record in enumerate(records)
    ]
    _compare_owners(services, [row for row in rows if may_own_its_id(row)])
    return pd.DataFrame(rows)


def _compare_owners(services: Services, rows: list[dict[str, Any]]) -> None:
    """Say of each row whether it is the first of its request_id, and of the subject that owns it.

    Whoever withdrew a request sends its number again for the id that was meant, perhaps in the same
    file; the withdrawn one owns nothing any more, and is a duplicate of itself.
    """
    firsts: dict[str, dict[str, int]] = {}
    for row in rows:
        firsts.setdefault(row["request_id"], {}).setdefault(row["subject"], row["row"])
    withdrawn = {one: _withdrawn(services, one) for one, named in firsts.items() if len(named) > 1}
    for row in rows:
        out = withdrawn.get(row["request_id"], frozenset())
        if row["subject"] in out:
            row["first_of_id"] = False
            continue
        named = firsts[row["request_id"]].items()
        owner, first = next((who, number) for who, number in named if who not in out)
        row["one_subject"] = owner == row["subject"]
        row["first_of_id"] = first == row["row"]


def _disposition(item: dict[str, Any], first: dict[int, tuple[str, str]]) -> Disposition:
    outcome, reason = first.get(item["row"], ("accepted", _VALID))
    named = bool(item["named"])
    return Disposition(
        record_id=item["record_id"],
        request_id=item["request_id"] if named else "",
        outcome=outcome,
        reason=item["problem"] or reason,
        # Free text of an unusable row may name anybody.
        received_at=_text(item["received_at"]) if outcome != "quarantined" else "",
        ground=_text(item["ground"]) if outcome != "quarantined" else "",
        subject=item["subject"] if named else "",
        spelling=item["spelling"] if named else "",
        subject_kind=item["subject_kind"] if named and item["kind_known"] else PERSON,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _claim_ids(services: Services, judged: list[Disposition]) -> list[Disposition]:
    """Let the first record that ever used a request_id own it; a later one is a duplicate.

    One that a person withdrew owns it no longer: another id was meant, which may come under it.
    """

    def own(d: Disposition) -> Disposition:
        if d.outcome == "duplicate" and d.subject in _withdrawn(services, d.request_id):
            return replace(d, reason=WITHDREW)
        if d.outcome not in ("accepted", "on_hold"):
            return d
        for claim in _claims_of(d.request_id):
            if services.store.put_if_absent(claim, f"{d.record_id} {d.subject}".encode()):
                break
            record, owner = services.store.get(claim).decode().split(" ")
            if owner == d.subject:
                reason = WITHDREW if _is_withdrawn(services, record) else ON_RECORD
                return Disposition(d.record_id, d.request_id, "duplicate", reason, d.received_at)
            if not _is_withdrawn(services, record):
                return Disposition(d.record_id, "", "quarantined", USED)
        return d

    with ThreadPoolExecutor(_WRITERS) as pool:
        return list(pool.map(own, judged))


def _claims_of(request_id: str) -> Iterator[str]:
    """Where the owners of a request_id stand: the first, and who came after one was withdrawn."""
    first = f"{_CLAIMS}{bytes_digest(request_id.encode())}"
    yield first
    yield from (f"{first}-{number}" for number in count(2))


def _withdrawn(services: Services, request_id: str) -> frozenset[str]:
    """Pseudonyms of whom a request of this id named and was withdrawn."""
    found: set[str] = set()
    for claim in _claims_of(request_id):
        try:
            record, owner = services.store.get(claim).decode().split(" ")
        except MissingObjectError:
            break
        if _is_withdrawn(services, record):
            found.add(owner)
    return frozenset(found)


def _is_withdrawn(services: Services, record: str) -> bool:
    events = services.journal.read(request_stream(record))
    return bool(events) and isinstance(events[-1].facts, RequestWithdrawn)
