import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearning.errors import EvidenceError
from unlearning.evaluation.utility import utility_of
from unlearning.model.scores import Scores


def scores(odds, labels):
    """A two-class model by its log-odds of class 1."""
    values = torch.tensor([[0.0, one] for one in odds], dtype=torch.double)
    return Scores(values, torch.tensor(labels))


LABELS = [0, 0, 1, 1]
BEFORE = scores([-1.0, -1.0, 1.0, 1.0], LABELS)
AFTER = scores([-1.0, 2.0, 1.0, 3.0], LABELS)


def test_every_number_by_hand():
    found = utility_of(BEFORE, AFTER, min_rows=2)
    assert found.rows == 4
    assert (found.accuracy.before, found.accuracy.after) == (1.0, 0.75)
    assert found.loss.before == pytest.approx(math.log(1 + math.exp(-1)))
    after = [math.log(1 + math.exp(x)) for x in (-1, 2, -1, -3)]
    assert found.loss.after == pytest.approx(sum(after) / 4)
    assert found.auroc is not None
    assert (found.auroc.before, found.auroc.after) == (1.0, 0.75)  # one of four pairs is lost
    assert (found.churn, found.newly_wrong) == (0.25, 0.25)
    groups = {group.value: group for group in found.groups}
    assert (groups["0"].accuracy.before, groups["0"].accuracy.after) == (1.0, 0.5)
    assert (groups["1"].accuracy.before, groups["1"].accuracy.after) == (1.0, 1.0)
    assert {group.column for group in found.groups} == {"class"}


def test_slices_are_groups_beside_the_classes_and_small_ones_are_only_counted():
    slices = {"region": ["north", "north", "north", "south"]}
    found = utility_of(BEFORE, AFTER, slices=slices, min_rows=2)
    (north,) = [group for group in found.groups if group.column == "region"]
    assert (north.value, north.rows) == ("north", 3)
    assert north.accuracy.after == pytest.approx(2 / 3)
    assert found.small_groups == 1


def random_pair(seed, count=400, flips=40):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    odds = random.normal(size=count) + labels
    other = odds.copy()
    other[:flips] *= -1
    return scores(odds.tolist(), labels.tolist()), scores(other.tolist(), labels.tolist())


def test_intervals_hold_the_change_and_shrink_with_the_rows():
    few, many = (utility_of(*random_pair(3, count, count // 10)) for count in (200, 3200))
    for found in (few, many):
        for change in (found.accuracy, found.loss, found.auroc):
            assert change.lower <= change.after - change.before <= change.upper
    assert few.accuracy.upper - few.accuracy.lower > 2.5 * (
        many.accuracy.upper - many.accuracy.lower
    )


def test_the_interval_covers_what_is_true_of_all_rows_about_as_often_as_it_says():
    whole = random_pair(0, 20_000, 2_000)
    true = float(whole[1].hits.double().mean() - whole[0].hits.double().mean())
    random = torch.Generator().manual_seed(1)
    covered = 0
    for _ in range(60):
        drawn = torch.randperm(20_000, generator=random)[:300]
        one, other = (Scores(s.values[drawn], s.labels[drawn]) for s in whole)
        change = utility_of(one, other, min_rows=10**6).accuracy
        covered += change.lower <= true <= change.upper
    assert covered >= 50


@settings(max_examples=20)
@given(seed=st.integers(0, 50))
def test_a_model_compared_with_itself_has_not_changed(seed):
    one, _ = random_pair(seed, 60, 0)
    found = utility_of(one, one)
    assert (found.churn, found.newly_wrong) == (0.0, 0.0)
    for change in (found.loss, found.auroc):
        assert (change.lower, change.upper) == (0.0, 0.0)
        assert change.before == change.after
    for change in (found.accuracy, *(g.accuracy for g in found.groups)):
        # No difference on few rows is no proof of none.
        assert change.lower < 0.0 < change.upper
        assert change.before == change.after
        assert change.before_interval == change.after_interval


def test_the_same_scores_give_the_same_numbers():
    assert utility_of(*random_pair(5)) == utility_of(*random_pair(5))


def test_one_row_and_one_class_have_no_auroc():
    one = scores([1.0], [1])
    found = utility_of(one, one)
    assert found.auroc is None
    assert (found.rows, found.small_groups) == (1, 1)
    three = Scores(torch.eye(3).double(), torch.tensor([0, 1, 2]))
    assert utility_of(three, three).auroc is None


@pytest.mark.parametrize("other", [scores([1.0], [1]), scores([1.0] * 4, [1, 1, 0, 0])])
def test_other_rows_are_refused(other):
    with pytest.raises(EvidenceError, match="same rows"):
        utility_of(BEFORE, other)


def test_no_rows_and_slices_of_other_rows_are_refused():
    none = Scores(torch.empty((0, 2)).double(), torch.empty(0, dtype=torch.int64))
    with pytest.raises(EvidenceError, match="0 rows"):
        utility_of(none, none)
    with pytest.raises(EvidenceError, match="'region' has 1 values for 4"):
        utility_of(BEFORE, AFTER, slices={"region": ["north"]})


def test_every_number_lies_in_its_own_interval():
    found = utility_of(*random_pair(4, 300, 30), min_rows=100)
    for change in (found.accuracy, found.loss, found.auroc, *(g.accuracy for g in found.groups)):
        assert change.before_interval.lower < change.before < change.before_interval.upper
        assert change.after_interval.lower < change.after < change.after_interval.upper
    assert found.churn_interval.lower < found.churn < found.churn_interval.upper
    lost = found.newly_wrong_interval
    assert lost.lower < found.newly_wrong < lost.upper


@settings(max_examples=10)
@given(order=st.permutations(range(40)))
def test_the_order_of_the_rows_changes_nothing(order):
    pair = random_pair(8, 40, 6)
    regions = [("north", "south")[i % 2] for i in range(40)]
    shuffled = [Scores(one.values[order], one.labels[order]) for one in pair]
    slices = {"region": [regions[i] for i in order]}
    found = utility_of(*shuffled, slices=slices, min_rows=5)
    expected = utility_of(*pair, slices={"region": regions}, min_rows=5)
    for name in ("before", "after"):  # a mean in another order is rounded otherwise
        value = getattr(found.loss, name)
        assert value == pytest.approx(getattr(expected.loss, name), rel=1e-12)
        changed = replace(found.loss, **{name: getattr(expected.loss, name)})
        found = replace(found, loss=changed)
    assert near(asdict(found)) == near(asdict(expected))


def near(facts):
    """The same facts with numbers rounded."""
    if isinstance(facts, dict):
        return {name: near(value) for name, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [near(value) for value in facts]
    return round(facts, 12) if isinstance(facts, float) else facts


def test_the_loss_is_that_of_the_scores_however_large():
    one = scores([-1000.0, 1.0], [1, 1])
    assert utility_of(one, one).loss.before == pytest.approx((1000 + math.log1p(math.exp(-1))) / 2)


def test_a_slice_column_called_class_hides_no_class():
    found = utility_of(BEFORE, AFTER, slices={"class": ["a", "a", "a", "b"]}, min_rows=2)
    assert [(group.value, group.rows) for group in found.groups] == [("0", 2), ("1", 2), ("a", 3)]


def test_numbers_come_by_size_and_odd_digits_are_texts():
    values = ["10", "9", "\u00b2", "9"] * 2  # int() refuses the superscript two, which is a digit
    pair = [Scores(torch.cat([s.values] * 2), torch.cat([s.labels] * 2)) for s in (BEFORE, AFTER)]
    found = utility_of(*pair, slices={"level": values}, min_rows=2)
    assert [g.value for g in found.groups if g.column == "level"] == ["9", "10", "\u00b2"]


def test_scores_that_are_not_finite_are_refused():
    broken = scores([float("nan"), 1.0, 1.0, 1.0], LABELS)
    with pytest.raises(EvidenceError, match="not finite"):
        utility_of(BEFORE, broken)


def test_the_facts_are_ready_for_json():
    assert json.loads(json.dumps(asdict(utility_of(BEFORE, AFTER)), allow_nan=False))
