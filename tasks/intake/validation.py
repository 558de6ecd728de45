"""Validate a batch of deletion requests with Great Expectations, row by row."""

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from tasks.intake.inbox import Record
from tasks.intake.legal_holds import SUBJECT_ID, subjects_on_hold
from tasks.intake.request_files import FIELDS, plain_text
from tasks.journal import journal
from tasks.registry.services import Services
from unlearning.errors import EvidenceError
from unlearning.policy.deletion import Disposition, is_open, is_replay
from unlearning.policy.digests import bytes_digest, pseudonym

log = logging.getLogger("expunge.validation")

_CLAIMS = "requests/ids/"
# Nobody is refused because the clock of this machine, or of the intake, is wrong by a day.
_SKEW = timedelta(days=2)
_LAW_APPLIED = datetime(2018, 5, 24, tzinfo=UTC)  # a day early, for time zones
_MIN_QUOTED = 3
_VALID = "valid"
_HELD = "a legal hold names the subject"
_MISSING = "{} is missing, or neither text nor a whole number"

GROUNDS = ["a", "b", "c", "d", "e", "f"]
REQUEST_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"


def suite() -> list[tuple[Any, str, str]]:
    """Every expectation with the outcome and reason of a row that fails it; first failure wins."""
    from great_expectations import expectations as gxe

    def true(column: str) -> Any:
        return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[True])

    bad = "quarantined"
    return [
        (true("readable"), bad, "the row cannot be read"),
        (true("known_fields"), bad, f"has a field other than {', '.join(FIELDS)}"),
        (
            gxe.ExpectColumnValuesToNotBeNull(column="request_id"),
            bad,
            _MISSING.format("request_id"),
        ),
        (
            gxe.ExpectColumnValuesToMatchRegex(column="request_id", regex=REQUEST_ID),
            bad,
            "request_id must be 1-64 letters, digits, dots, dashes or underscores",
        ),
        (
            gxe.ExpectColumnValuesToNotBeNull(column="subject_id"),
            bad,
            _MISSING.format("subject_id"),
        ),
        (
            gxe.ExpectColumnValuesToMatchRegex(column="subject_id", regex=SUBJECT_ID),
            bad,
            "subject_id must be 1-256 printable characters without spaces around them",
        ),
        (true("ids_apart"), bad, "request_id contains the subject_id; use a case number"),
        (gxe.ExpectColumnValuesToNotBeNull(column="received_at"), bad, "received_at is missing"),
        (
            true("received_readable"),
            bad,
            "received_at is not a date and time with time zone (ISO 8601)",
        ),
        (true("received_past"), bad, "received_at lies in the future"),
        (true("received_since_law"), bad, "received_at lies before the GDPR applied (2018-05-25)"),
        (
            gxe.ExpectColumnValuesToBeInSet(column="ground", value_set=GROUNDS),
            bad,
            "ground must be one of a to f, as in Art. 17(1)",
        ),
        (true("one_subject"), bad, "request_id is already used for another subject"),
        (true("first_of_id"), "duplicate", "a request with this request_id is already on record"),
        (true("not_held"), "on_hold", _HELD),
    ]


def judge(services: Services, records: Sequence[Record], key: bytes) -> list[Disposition]:
    """One disposition per record: accepted, quarantined, duplicate or on hold."""
    if not records:
        return []
    frame = _frame(services, records, key)
    first: dict[int, tuple[str, str]] = {}
    for outcome, reason, rows in _failures(frame):
        for row in rows:
            first.setdefault(row, (outcome, reason))
    judged = [_disposition(item, first) for item in frame.to_dict("records")]
    return _claim_ids(services, judged)


def judge_again(services: Services, records: Collection[str], key: bytes) -> list[Disposition]:
    """One disposition per record that was found valid before: accepted, or on hold.

    Nothing but a hold is looked at: the record owns its request_id, whoever uses it since, and a
    rule that came later refuses new requests only. Records that another batch has answered since
    are left out.
    """
    held = {pseudonym(key, subject) for subject in subjects_on_hold(services)}
    names = {field.name for field in fields(Disposition)}
    known = [
        Disposition(**{name: fact for name, fact in event.facts.items() if name in names})
        for _, event in sorted(services.journal.latest("requests", records).items())
        if is_open(event.status)
    ]
    return [
        replace(d, outcome="on_hold", reason=_HELD)
        if d.subject in held
        else replace(d, outcome="accepted", reason=_VALID)
        for d in known
    ]


def _frame(services: Services, records: Sequence[Record], key: bytes) -> pd.DataFrame:
    held = subjects_on_hold(services)
    limit = journal.now() + _SKEW
    owners: dict[str, tuple[int, str]] = {}
    rows = []
    for number, record in enumerate(records):
        row = {"row": number, **_columns(record, held, limit, key)}
        if row["named"] and row["readable"] and row["known_fields"] and _is_sound_rest(row):
            owner = owners.setdefault(row["request_id"], (number, row["subject"]))
            row["one_subject"] = owner[1] == row["subject"]
            row["first_of_id"] = owner[0] == number
        rows.append(row)
    return pd.DataFrame(rows)


def _is_sound_rest(row: dict[str, Any]) -> bool:
    """Whether received_at and ground are usable: an unusable row must not own its request_id."""
    dated = row["received_at"] and row["received_readable"] and row["received_past"]
    dated = dated and row["received_since_law"]
    return bool(dated) and row["ground"] in (None, *GROUNDS)


def _columns(record: Record, held: set[str], limit: datetime, key: bytes) -> dict[str, Any]:
    fields = record.row.fields
    values = {name: plain_text(fields.get(name)) for name in FIELDS[:2]}
    values |= {"received_at": _moment(fields.get("received_at")), "ground": _ground(fields)}
    request, subject, received = (values[name] for name in FIELDS[:3])
    time = _time(received)
    who = pseudonym(key, subject) if subject else ""
    # Ids of our own hold digests, in which a short id may occur by chance.
    apart = not _quotes(request or "", subject or "") or is_replay(request or "", who)
    return {
        "record_id": record.record_id,
        "problem": record.row.problem,
        **values,
        "subject": who,
        "readable": not record.row.problem,
        "known_fields": set(fields) <= set(FIELDS),
        "ids_apart": apart,
        "received_readable": received is None or time is not None,
        "received_past": time is None or time <= limit,
        # A slip in the year would make the batch overdue, and overdue models are withdrawn.
        "received_since_law": time is None or time >= _LAW_APPLIED,
        "not_held": subject not in held,
        # An unusable row may hold anything in any field; only a sound pair of ids is repeated.
        "named": _sound(request, REQUEST_ID) and _sound(subject, SUBJECT_ID) and apart,
        "one_subject": True,
        "first_of_id": True,
    }


def _quotes(request: str, subject: str) -> bool:
    """Whether the subject can be read from the request_id, in any case and with any separators."""
    whole, part = (re.sub(r"[\W_]+", "-", text.casefold()) for text in (request, subject))
    is_whole = part.strip("-") == whole.strip("-") != ""
    return is_whole or (len(part) >= _MIN_QUOTED and part in whole)


def _moment(value: Any) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else plain_text(value)


def _ground(fields: dict[str, Any]) -> str | None:
    """The ground as text; None only if none is given: one that is no text must not be ignored."""
    given = fields.get("ground")
    return None if given is None else plain_text(given) or ""


def _sound(value: str | None, pattern: str) -> bool:
    return value is not None and re.match(pattern, value) is not None


def _time(value: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None


def _failures(frame: pd.DataFrame) -> Iterator[tuple[str, str, list[int]]]:
    """(outcome, reason, failing rows) per expectation, in the order of the suite."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    expectations = suite()
    # It names its temporary directory at INFO, and sets that level itself on import.
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = (
        context.data_sources.add_pandas("requests")
        .add_dataframe_asset("batch")
        .add_batch_definition_whole_dataframe("rows")
        .get_batch(batch_parameters={"dataframe": frame})
    )
    checks = gx.ExpectationSuite(name="deletion-requests")
    for rank, (expectation, _, _) in enumerate(expectations):
        # Results come back regrouped by column, so each carries its rank with it.
        expectation.meta = {"rank": rank}
        checks.add_expectation(expectation)
    result = batch.validate(
        checks,
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]},
    )
    found = {_rank(r): r for r in result.results}
    for rank, (_, outcome, reason) in enumerate(expectations):
        yield outcome, reason, _failing_rows(found.get(rank), rank)


def _rank(result: Any) -> int:
    return result.expectation_config.meta["rank"]


def _failing_rows(result: Any, rank: int) -> list[int]:
    if result is None or "element_count" not in result.result:
        raise EvidenceError(f"Expectation {rank} of the request suite was not evaluated.")
    listed = result.result.get("unexpected_index_list") or []
    return [int(item["row"]) for item in listed]


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
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _claim_ids(services: Services, judged: list[Disposition]) -> list[Disposition]:
    """Let the first record that ever used a request_id own it; a later one is a duplicate."""
    from concurrent.futures import ThreadPoolExecutor

    def settle(d: Disposition) -> Disposition:
        if d.outcome not in ("accepted", "on_hold"):
            return d
        claim = f"{_CLAIMS}{bytes_digest(d.request_id.encode())}"
        if services.store.put_if_absent(claim, f"{d.record_id} {d.subject}".encode()):
            return d
        owner = services.store.get(claim).decode().split(" ")[1]
        if owner == d.subject:
            reason = "a request with this request_id is already on record"
            return Disposition(d.record_id, d.request_id, "duplicate", reason, d.received_at)
        return Disposition(
            d.record_id, "", "quarantined", "request_id is already used for another subject"
        )

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(settle, judged))
