"""Shares out of a hundred: never rounded to certainty, and never alike where they differ."""

import pytest

from tasks.report.shares import in_hundred, points, uncertain


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0"), (0.004, "fewer than 1"), (0.53, "53"), (0.997, "more than 99"), (1.0, "100")],
)
def test_hundreds_are_never_rounded_to_certainty(share, text):
    assert in_hundred(share) == text


def test_points():
    assert [points(one) for one in (0.012, -0.01, 0.0)] == ["1.2 points", "1.0 point", "0.0 points"]


def test_shares_that_look_alike_get_a_digit_more_unless_they_are_the_same():
    assert in_hundred(0.552, 0.55) == "55.2"
    assert in_hundred(0.55, 0.55) == "55"
    assert in_hundred(0.552, 0.61) == "55"


def test_no_test_notices_everything():
    assert in_hundred(uncertain(1.0)) == "more than 99"
    assert uncertain(0.8) == 0.8
