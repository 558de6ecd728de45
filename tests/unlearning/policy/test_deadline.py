from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.policy.deadline import due_date


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
