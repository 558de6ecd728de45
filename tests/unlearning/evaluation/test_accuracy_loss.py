import pytest
import torch

from unlearning.errors import EvidenceError
from unlearning.evaluation.accuracy_loss import (
    accuracy_loss,
    matched_accuracy,
    worst_class_loss,
    worst_slice_loss,
)
from unlearning.model.scores import Scores


def scores(hits, labels=None):
    """Scores of a two-class model that is right where `hits` says so."""
    labels = torch.zeros(len(hits), dtype=torch.int64) if labels is None else torch.tensor(labels)
    right = torch.tensor(hits, dtype=torch.bool)
    guess = torch.where(right, labels, 1 - labels)
    return Scores(torch.nn.functional.one_hot(guess, 2).double(), labels)


def test_the_loss_and_its_certain_part_by_hand():
    before, after = [True] * 100, [True] * 80 + [False] * 20
    loss = accuracy_loss(scores(before), scores(after))
    assert loss.rows == 100
    assert loss.value == pytest.approx(0.2)
    assert loss.certain == pytest.approx(0.2 - 1.6449 * 0.4 / 10, abs=1e-4)


def test_what_could_hide_behind_a_loss_shrinks_with_rows():
    few, many = ([True] * count for count in (20, 2_000))
    hidden = [accuracy_loss(scores(one), scores(one)).possible for one in (few, many)]
    assert hidden == pytest.approx([1 - 0.05 ** (1 / 20), 1 - 0.05 ** (1 / 2_000)])
    lost = accuracy_loss(scores(few), scores([False] * 6 + [True] * 14))
    gained = accuracy_loss(scores([False] * 6 + [True] * 14), scores(few))
    assert lost.possible > 0.3
    assert gained.possible < 0


def test_rows_that_both_get_wrong_or_right_make_nothing_uncertain():
    some = [True, False] * 5_000
    loss = accuracy_loss(scores(some), scores(some))
    assert loss.value == 0.0
    assert -1e-3 < loss.certain < 0.0


def test_a_better_candidate_has_a_loss_below_zero():
    assert accuracy_loss(scores([False] * 9), scores([True] * 9)).value == -1.0


def test_the_worst_class_is_found_with_the_confidence_of_all():
    labels = [0] * 100 + [1] * 100
    before = scores([True] * 200, labels)
    after = scores([True] * 100 + [True] * 50 + [False] * 50, labels)
    worst = worst_class_loss(before, after, min_rows=100)
    assert worst is not None
    assert (worst.rows, worst.value) == (100, 0.5)
    assert worst.certain == pytest.approx(0.5 - 1.95996 * 0.05, abs=1e-4)
    assert worst_class_loss(before, after, min_rows=101) is None


def test_the_worst_slice_of_all_columns_is_named_and_small_ones_are_counted():
    before = scores([True] * 300)
    after = scores([True] * 200 + [False] * 60 + [True] * 40)
    slices = {
        "region": ["north"] * 150 + ["south"] * 150,
        "plan": ["basic"] * 200 + ["gold"] * 100,
        "level": ["1"] * 99 + ["2"] * 99 + ["3"] * 102,
    }
    worst, small = worst_slice_loss(before, after, slices, min_rows=100)
    assert worst is not None
    assert (worst.column, worst.group, worst.rows, worst.value) == ("plan", "gold", 100, 0.6)
    # Five slices are large enough: a confidence of 1 - 0.05 / 5.
    assert worst.certain == pytest.approx(0.6 - 2.32635 * 0.24**0.5 / 10, abs=1e-4)
    assert small == 2
    assert worst_slice_loss(before, after, slices, min_rows=201) == (None, 7)
    assert worst_slice_loss(before, after, {}, min_rows=1) == (None, 0)


def test_a_slice_of_other_rows_is_refused():
    with pytest.raises(EvidenceError, match="'region' has 2 values for 3 rows"):
        worst_slice_loss(scores([True] * 3), scores([True] * 3), {"region": ["a", "b"]}, min_rows=1)


@pytest.mark.parametrize("other", [scores([True]), scores([True, True], [0, 1])])
def test_other_rows_are_refused(other):
    with pytest.raises(EvidenceError, match="same rows"):
        accuracy_loss(scores([True, True]), other)


def test_accuracy_on_unseen_rows_is_weighted_as_the_forget_rows_are():
    unseen = scores([True] * 8 + [False] * 2 + [True] * 3 + [False] * 7, [0] * 10 + [1] * 10)
    labels = torch.tensor([1, 1, 1, 0])
    assert matched_accuracy(unseen, labels, min_rows=10) == pytest.approx(0.75 * 0.3 + 0.25 * 0.8)
    # Too few rows of a class, or none at all: the accuracy over all of them.
    assert matched_accuracy(unseen, labels, min_rows=11) == pytest.approx(0.55)
    assert matched_accuracy(unseen, torch.tensor([2]), min_rows=10) == pytest.approx(0.55)
    with pytest.raises(EvidenceError, match="no rows"):
        matched_accuracy(unseen, labels[:0], min_rows=10)
