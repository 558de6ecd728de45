"""Errors of a model of numbers, read back out of its scores."""

import pytest
import torch

from unlearning.errors import EvidenceError
from unlearning.evaluation.number_errors import number_error
from unlearning.model.adapted import number_scores
from unlearning.model.scores import Scores


def scores(off: torch.Tensor, tolerance: float = 0.5) -> Scores:
    values = number_scores(off, torch.zeros(len(off), dtype=off.dtype), tolerance)
    return Scores(values, torch.ones(len(off), dtype=torch.int64))


def test_errors_are_those_of_the_answers():
    random = torch.Generator().manual_seed(0)
    old, new = (torch.randn(500, generator=random).double() for _ in range(2))
    found = number_error(scores(old), scores(new), tolerance=0.5)
    assert found.before == pytest.approx(float(old.abs().mean()))
    assert found.after == pytest.approx(float(new.abs().mean()))
    assert found.before_root == pytest.approx(float(old.square().mean().sqrt()))
    rise = new.abs() - old.abs()
    certain = rise.mean() - 1.6449 * rise.std(correction=0) / 500**0.5
    assert found.certain_rise == pytest.approx(float(certain / old.abs().mean()), abs=1e-4)


def test_what_is_twice_as_far_off_has_risen_by_all_of_it():
    old = torch.full((50,), 0.3).double()
    found = number_error(scores(old), scores(2 * old), tolerance=0.5)
    assert found.certain_rise == pytest.approx(1.0)
    assert (found.rows, found.tolerance) == (50, 0.5)


def test_errors_on_other_rows_do_not_compare():
    with pytest.raises(EvidenceError, match="same rows"):
        number_error(scores(torch.ones(3)), scores(torch.ones(4)), tolerance=0.5)
