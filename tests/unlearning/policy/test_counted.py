"""Numbers in words: one thing is no things."""

import pytest

from unlearning.policy.counted import counted, named


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (4000, "4,000 rows")]
)
def test_only_one_thing_is_in_the_singular(number, said):
    assert counted(number, "row") == said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        (["a"], "a"),
        (["b", "a", "b"], "a and b"),
        (["c", "b", "a"], "a, b and c"),
        ("abcd", "4 models"),
    ],
)
def test_a_few_are_named_and_many_are_counted(names, said):
    assert named(names, "models") == said
