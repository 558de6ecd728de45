import pytest

from unlearning.config.limits import (
    require_at_least,
    require_one_of,
    require_positive,
    require_within,
)
from unlearning.errors import SettingsError

NAN, INF = float("nan"), float("inf")


def test_the_ends_belong_to_the_range():
    require_at_least("rows", 1, 1)
    require_within("share", 0.0, 0.0, 1.0)
    require_within("share", 1.0, 0.0, 1.0)
    require_positive("rate", 1e-300)
    require_one_of("method", "b", ("a", "b"))


@pytest.mark.parametrize(
    ("refuse", "message"),
    [
        (lambda: require_at_least("rows", 0, 1), "rows is 0; give at least 1."),
        (lambda: require_positive("rate", 0.0), "rate is 0.0; give a finite number above 0."),
        (lambda: require_positive("rate", INF), "rate is inf; give a finite number above 0."),
        (lambda: require_positive("rate", NAN), "rate is nan; give a finite number above 0."),
        (
            lambda: require_within("share", 1.1, 0.0, 1.0),
            "share is 1.1; give a finite number from 0.0 to 1.0.",
        ),
        (
            lambda: require_within("share", INF, 0.0, INF),
            "share is inf; give a finite number from 0.0 to inf.",
        ),
        (
            lambda: require_within("share", NAN, 0.0, 1.0),
            "share is nan; give a finite number from 0.0 to 1.0.",
        ),
        (
            lambda: require_one_of("method", "c", ("a", "b")),
            "method is 'c'; choose one of a, b.",
        ),
    ],
)
def test_a_refusal_names_the_option_and_says_what_to_give(refuse, message):
    with pytest.raises(SettingsError) as refused:
        refuse()
    assert str(refused.value) == message


def test_a_whole_number_that_other_languages_would_round_is_refused():
    require_at_least("seed", 2**53 - 1, 0)
    with pytest.raises(SettingsError, match="give at most 9007199254740991"):
        require_at_least("seed", 2**53, 0)
