"""When a request is due, and whether an exact retrain can end by then."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from statistics import median

_DAY = 24 * 3600
_SURE = 4
"""Machines of one kind differ by less than that; below it nothing is called impossible."""
_LEAST = 0.1
_UNITS = ((_DAY, "days"), (3600, "hours"), (60, "minutes"))


def due_on(received_at: str) -> date:
    """When a request that was received at this moment, ISO 8601 with time zone, is due."""
    return due_date(received_on(received_at))


def received_on(received_at: str) -> date:
    """The day of receipt: of the sender's time zone or of UTC, whichever is earlier.

    A zone far to the east names a day that nowhere near the controller has begun.
    """
    received = datetime.fromisoformat(received_at)
    return min(received.date(), received.astimezone(UTC).date())


def due_date(received: date) -> date:
    """One month after receipt: the same day of the next month, else that month's last day.

    Art. 12(3) GDPR. The day of receipt does not count (EDPB Guidelines 01/2022). Moving a due date
    from a weekend or holiday to the next working day only ever gives more time and is left out.
    """
    year, month = received.year + received.month // 12, received.month % 12 + 1
    return date(year, month, min(received.day, monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTraining:
    """One training that ran in one go."""

    rows: int
    epochs: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How long a training will take."""

    expected: float
    """Seconds, by the median of the timed trainings."""
    least: float
    """Seconds below which it certainly does not end."""


def forecast(timed: Sequence[TimedTraining], *, rows: int, epochs: int) -> Forecast | None:
    """How long a training on so many rows will take; None if none was timed.

    Formula: seconds per row and epoch, times rows, times epochs; expected by the median training,
    at least a quarter of it by the fastest.

    Args:
        timed: Trainings of the same form, on the same kind of machine.
        rows: Rows to train on.
        epochs: Passes over them.
    """
    paces = [t.seconds / (t.rows * t.epochs) for t in timed if t.rows > 0 and t.epochs > 0]
    if not paces:
        return None
    passes = rows * epochs
    return Forecast(expected=median(paces) * passes, least=min(paces) * passes / _SURE)


def why_too_late(found: Forecast | None, days_left: int) -> str:
    """Why a retrain is not begun, in one sentence; empty unless it certainly cannot end in time.

    In time is by the end of the due day, or within a day where that is over: an overdue request
    is still better answered by a retrain of minutes than by none. What nobody
    knows the length of is begun.

    Args:
        found: How long it will take; None if nothing tells.
        days_left: Days to the earliest due date; below 0 it has passed.
    """
    days = max(days_left, 0) + 1
    if found is None or found.least <= days * _DAY:
        return ""
    return (
        f"A retrain would take about {span(found.expected)}, at the very least "
        f"{span(found.least)}, and cannot end in time: "
        f"{'the request is overdue' if days_left < 0 else f'it is due within {span(days * _DAY)}'}."
    )


def span(seconds: float) -> str:
    """A time in the unit that suits it, such as "2.5 hours"."""
    if seconds < _LEAST:
        return f"under {_LEAST} seconds"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} seconds"
