"""When a request is due, and how long a retrain takes: by timed trainings, never by a guess."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.policy.deadlines import (
    Forecast,
    TimedTraining,
    due_date,
    due_on,
    forecast,
    span,
    why_too_late,
)

DAY = 24 * 3600


def timed(rows, epochs, seconds):
    return TimedTraining(rows=rows, epochs=epochs, seconds=seconds)


def test_seconds_go_with_rows_and_epochs():
    known = [timed(100, 10, 2.0), timed(200, 10, 8.0), timed(100, 1, 90.0)]
    found = forecast(known, rows=5_000, epochs=30)
    assert found is not None
    # Paces 0.002, 0.004 and 0.9 seconds; expected by the median, at least a quarter of the fastest.
    assert found.expected == pytest.approx(0.004 * 150_000)
    assert found.least == pytest.approx(0.002 * 150_000 / 4)


def test_without_a_timed_training_nothing_is_known():
    assert forecast([], rows=100, epochs=1) is None
    assert forecast([timed(0, 10, 3.0), timed(10, 0, 3.0)], rows=100, epochs=1) is None


@pytest.mark.parametrize(
    ("days_left", "least", "is_skipped"),
    [
        (5, 6 * DAY, False),
        (5, 6 * DAY + 1, True),
        (0, DAY, False),
        (0, DAY + 1, True),
        (-300, DAY, False),
        (-300, DAY + 1, True),
    ],
)
def test_a_retrain_is_skipped_only_if_it_certainly_ends_after_the_due_day(
    days_left, least, is_skipped
):
    found = Forecast(expected=8 * least, least=least)
    reason = why_too_late(found, days_left)
    assert bool(reason) is is_skipped
    if is_skipped:
        assert span(8 * least) in reason
        assert span(least) in reason
        assert reason.endswith(".")
        assert ("overdue" in reason) is (days_left < 0)


@given(st.integers(-400, 400))
def test_what_nobody_knows_the_length_of_is_begun(days_left):
    assert why_too_late(None, days_left) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "under 0.1 seconds"),
        (0.09, "under 0.1 seconds"),
        (0.1, "0.1 seconds"),
        (59, "59.0 seconds"),
        (90, "1.5 minutes"),
        (9_000, "2.5 hours"),
        (3 * DAY, "3.0 days"),
    ],
)
def test_spans(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (date(2026, 1, 15), date(2026, 2, 15)),
        (date(2026, 1, 31), date(2026, 2, 28)),
        (date(2028, 1, 31), date(2028, 2, 29)),
        (date(2028, 1, 29), date(2028, 2, 29)),
        (date(2027, 1, 29), date(2027, 2, 28)),
        (date(2100, 1, 30), date(2100, 2, 28)),
        (date(2000, 1, 30), date(2000, 2, 29)),
        (date(2026, 2, 28), date(2026, 3, 28)),
        (date(2026, 3, 31), date(2026, 4, 30)),
        (date(2026, 11, 30), date(2026, 12, 30)),
        (date(2026, 12, 1), date(2027, 1, 1)),
        (date(2026, 12, 31), date(2027, 1, 31)),
    ],
)
def test_a_request_is_due_on_the_same_day_of_the_next_month_or_on_its_last(received, due):
    assert due_date(received) == due


DAYS = st.dates(date(1970, 1, 1), date(9999, 11, 30))


@given(received=DAYS)
def test_the_due_date_lies_in_the_next_month_28_to_31_days_on(received):
    due = due_date(received)
    assert 28 <= (due - received).days <= 31
    assert (due.year * 12 + due.month) - (received.year * 12 + received.month) == 1
    assert due.day <= received.day


@given(one=DAYS, other=DAYS)
def test_an_earlier_request_is_never_due_later(one, other):
    earlier, later = sorted([one, other])
    assert due_date(earlier) <= due_date(later)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-10-31T10:30:00Z", date(2026, 11, 30)),
        ("2026-11-01T00:30:00+14:00", date(2026, 11, 30)),  # still October nearly everywhere
        ("2026-10-31T23:30:00-05:00", date(2026, 11, 30)),
        ("2026-11-01T00:30:00+01:00", date(2026, 11, 30)),
        ("2026-11-01T12:00:00+01:00", date(2026, 12, 1)),
    ],
)
def test_the_day_of_receipt_is_the_earlier_of_the_senders_and_of_utc(received, due):
    assert due_on(received) == due
