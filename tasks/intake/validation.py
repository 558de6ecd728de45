"""Validate a batch of deletion requests with Great Expectations, row by row."""

from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd

from tasks.intake.columns import IdRules, columns, may_own_its_id
from tasks.intake.kept_rows import Record
from tasks.intake.legal_holds import register
from tasks.intake.request_files import RawRow
from tasks.intake.suite import HELD, ON_RECORD, USED, failures
from tasks.journal import journal
from tasks.journal.events.requests import Answered
from tasks.journal.reading import subject_columns
from tasks.registry.services import Services
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


def foretell(services: Services, rows: Sequence[RawRow]) -> Counter[str]:
    """Why rows of a file will be quarantined, each reason with their number; changes nothing.

    A request_id that another subject's request has used is found by the run alone.
    """
    records = [Record(f"row-{number}", row) for number, row in enumerate(rows)]
    judged = _judged(services, records, services.settings.pseudonym_secret()) if records else []
    return Counter(one.reason for one in judged if one.outcome == "quarantined")


def _judged(
    services: Services, records: Sequence[Record], key: bytes, ids: IdRules | None = None
) -> list[Disposition]:
    """What the rows themselves say, before anybody claims a request_id."""
    frame = _frame(services, records, key, ids)
    first: dict[int, tuple[str, str]] = {}
    for outcome, reason, rows in failures(frame, _kinds(services)):
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


def _kinds(services: Services) -> set[str]:
    return {column.kind for column in subject_columns(services.journal).values()}


def _frame(
    services: Services, records: Sequence[Record], key: bytes, ids: IdRules | None
) -> pd.DataFrame:
    kinds = _kinds(services)
    held = register(services)
    limit = journal.now() + _SKEW
    owners: dict[str, tuple[int, str]] = {}
    rows = []
    for number, record in enumerate(records):
        row = {"row": number, **columns(record, held, limit, key, kinds, ids)}
        if may_own_its_id(row):
            owner = owners.setdefault(row["request_id"], (number, row["subject"]))
            row["one_subject"] = owner[1] == row["subject"]
            row["first_of_id"] = owner[0] == number
        rows.append(row)
    return pd.DataFrame(rows)


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
    """Let the first record that ever used a request_id own it; a later one is a duplicate."""

    def own(d: Disposition) -> Disposition:
        if d.outcome not in ("accepted", "on_hold"):
            return d
        claim = f"{_CLAIMS}{bytes_digest(d.request_id.encode())}"
        if services.store.put_if_absent(claim, f"{d.record_id} {d.subject}".encode()):
            return d
        owner = services.store.get(claim).decode().split(" ")[1]
        if owner == d.subject:
            return Disposition(d.record_id, d.request_id, "duplicate", ON_RECORD, d.received_at)
        return Disposition(d.record_id, "", "quarantined", USED)

    with ThreadPoolExecutor(_WRITERS) as pool:
        return list(pool.map(own, judged))
