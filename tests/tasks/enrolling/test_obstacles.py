"""Obstacles are collected, so that nobody meets them one at a time."""

import pytest

from tasks.enrolling.obstacles import Obstacle, Obstacles
from unlearning.errors import DataError, ModelError, TransientError


def refuse(error):
    raise error


def test_every_refusal_is_kept_once_and_in_order():
    seen = Obstacles()
    assert seen.outcome(lambda: 3) == 3
    for text in ("First.", "Second.", "First."):
        assert seen.outcome(lambda text=text: refuse(DataError(text))) is None
    assert [one.text for one in seen.found] == ["First.", "Second."]


def test_a_part_may_find_several():
    seen = Obstacles()
    assert seen.each(list)
    assert not seen.each(lambda: [DataError("First."), ModelError("Second.")])
    assert not seen.each(lambda: refuse(DataError("Third.")))
    assert len(seen.found) == 3


def test_a_system_that_is_away_is_no_obstacle():
    with pytest.raises(TransientError):
        Obstacles().outcome(lambda: refuse(TransientError("MLflow is away.")))


@pytest.mark.parametrize(
    ("error", "line", "flags"),
    [
        (DataError("Wrong; change --loss, or wrap the model."), "--loss …", "--loss …"),
        (DataError("Wrong.", line="--trust-pickle"), "--trust-pickle", "--trust-pickle"),
        (DataError("Wrong.", line="model.eval()"), "model.eval()", ""),
        (DataError("Wrong."), "", ""),
    ],
)
def test_what_to_type_is_what_the_error_names(error, line, flags):
    found = Obstacle.of(error)
    assert (found.line, found.flags) == (line, flags)
