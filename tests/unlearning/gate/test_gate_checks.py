import pytest

from unlearning.gate.gate_checks import check, difference


@pytest.mark.parametrize(
    ("value", "passed"),
    [(0.2, True), (0.2 - 1e-10, True), (0.2 - 1e-6, False), (0.4, True), (0.4 + 1e-6, False)],
)
def test_both_limits_are_inclusive_within_the_rounding_of_shares(value, passed):
    found = check("share", value, lower=0.2, upper=0.4, meaning="A failure.")
    assert (found.passed, found.value) == (passed, value)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_fails_whatever_the_limits(value):
    found = check("share", value, meaning="A failure.")
    assert not found.passed
    assert found.value is None


@pytest.mark.parametrize("broken", [None, float("nan")])
def test_a_difference_with_something_that_is_no_number_is_none(broken):
    assert difference(0.5, 0.25) == 0.25
    assert difference(broken, 0.25) is None
    assert difference(0.5, broken) is None
