"""What the rules for a deletion request look at: one record as the columns of a table."""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Protocol

from tasks.intake.kept_rows import Record
from tasks.intake.legal_holds import SUBJECT_ID, Register
from tasks.intake.request_files import FIELDS, plain_text
from tasks.intake.suite import GROUNDS, REQUEST_ID
from unlearning.policy.deletion import is_replay
from unlearning.policy.spelling import loose_pseudonym
from unlearning.policy.subject_kinds import PERSON, is_kind, kind_pseudonym

_LAW_APPLIED = datetime(2018, 5, 24, tzinfo=UTC)  # a day early, for time zones
_MIN_QUOTED = 3
_SOUND = ("named", "readable", "known_fields", "kind_known", "fits_type", "names_somebody")


class IdRules(Protocol):
    """What can be an id in the tables; the ids themselves never leave a task."""

    def fits(self, kind: str, subject_id: str) -> bool:
        """Whether a table of this kind could hold it as it is written, or spelled otherwise."""
        ...

    def names_somebody(self, kind: str, subject_id: str) -> bool:
        """Whether it is no word for an empty cell."""
        ...


def columns(
    record: Record,
    held: Register,
    limit: datetime,
    key: bytes,
    kinds: Collection[str] = (),
    ids: IdRules | None = None,
) -> dict[str, Any]:
    """The record's fields as text, and what can be said of it without the other records.

    Args:
        record: One row of a request file.
        held: Whom legal holds protect.
        limit: The latest moment at which it can have been received.
        key: Key of the subject pseudonyms.
        kinds: The kinds of subjects in the tables; none if there is no table yet.
        ids: What can be an id in the tables; None if nobody looked.
    """
    fields = record.row.fields
    values = {name: plain_text(fields.get(name)) for name in FIELDS[:2]}
    values |= {"received_at": _moment(fields.get("received_at")), "ground": _ground(fields)}
    kind = _kind(fields)
    request, subject, received = (values[name] for name in FIELDS[:3])
    time = _time(received)
    if time is not None and time <= limit:
        values["received_at"] = _at_latest(received, time, record.arrived)
    who = kind_pseudonym(key, kind, subject) if subject else ""
    spelling = loose_pseudonym(key, subject) if subject else ""
    # Ids of our own hold digests, in which a short id may occur by chance.
    apart = not _quotes(request or "", subject or "") or is_replay(request or "", who)
    return {
        "record_id": record.record_id,
        "problem": record.row.problem,
        **values,
        "subject": who,
        "subject_kind": kind,
        "readable": not record.row.problem,
        "known_fields": set(fields) <= set(FIELDS),
        "ids_apart": apart,
        "received_readable": received is None or time is not None,
        "received_past": time is None or time <= limit,
        # A slip in the year would make the batch overdue, and overdue models are withdrawn.
        "received_since_law": time is None or time >= _LAW_APPLIED,
        "spelling": spelling,
        "not_held": not held.names(kind, spelling),
        # An unusable row may hold anything in any field; only a sound pair of ids is repeated.
        "named": _sound(request, REQUEST_ID) and _sound(subject, SUBJECT_ID) and apart,
        "kind_known": kind in kinds if kinds else is_kind(kind),
        "fits_type": ids is None or not subject or ids.fits(kind, subject),
        "names_somebody": ids is None or not subject or ids.names_somebody(kind, subject),
        "one_subject": True,
        "first_of_id": True,
    }


def may_own_its_id(row: dict[str, Any]) -> bool:
    """Whether nothing but other records can speak against it: an unusable row owns no id."""
    if not all(row[name] for name in _SOUND):
        return False
    dated = row["received_at"] and row["received_readable"] and row["received_past"]
    dated = dated and row["received_since_law"]
    return bool(dated) and row["ground"] in (None, *GROUNDS)


def _quotes(request: str, subject: str) -> bool:
    """Whether the subject can be read from the request_id, in any case and with any separators."""
    whole, part = (re.sub(r"[\W_]+", "-", text.casefold()) for text in (request, subject))
    is_whole = part.strip("-") == whole.strip("-") != ""
    return is_whole or (len(part) >= _MIN_QUOTED and part in whole)


def _moment(value: Any) -> str | None:
    return value.isoformat() if isinstance(value, datetime) else plain_text(value)


def _at_latest(received: str | None, time: datetime, arrived: str) -> str | None:
    """When it was received: as it says, but not after its file came, which starts the deadline.

    A clock that stands before the law applied knows nothing.
    """
    came = _time(arrived)
    return arrived if came is not None and _LAW_APPLIED < came < time else received


def _ground(fields: dict[str, Any]) -> str | None:
    """The ground as text; None only if none is given: one that is no text must not be ignored."""
    given = fields.get("ground")
    return None if given is None else plain_text(given) or ""


def _kind(fields: dict[str, Any]) -> str:
    """The kind of the subject; person only if none is given: an unreadable one is another."""
    given = fields.get("subject_kind")
    return PERSON if given is None else plain_text(given) or ""


def _sound(value: str | None, pattern: str) -> bool:
    return value is not None and re.match(pattern, value) is not None


def _time(value: str | None) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if value else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
