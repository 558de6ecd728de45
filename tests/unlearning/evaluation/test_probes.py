import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import EvidenceError
from unlearning.evaluation.probes import (
    prediction_distance,
    relearning_speed,
    threshold_advantage,
)
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.training.training import train


def doubles(*values):
    return torch.tensor(values, dtype=torch.double)


def test_the_threshold_is_set_on_some_rows_and_tried_on_the_others():
    # Set on 1, 1 against 5, 5: at most 1. Tried on 1, 9 against 5, 0.
    found = threshold_advantage(doubles(1, 1, 1, 9), doubles(5, 5, 5, 0))
    assert found.value == pytest.approx(0.5 - 0.5)
    assert found.error == pytest.approx((0.25 / 2 + 0.25 / 2) ** 0.5)


def test_members_that_are_all_below_the_others_give_the_whole_advantage():
    found = threshold_advantage(torch.zeros(10).double(), torch.ones(10).double())
    assert (found.value, found.error) == (1.0, 0.0)


def test_chance_alone_gives_no_advantage_on_rows_that_did_not_set_the_threshold():
    random = torch.Generator().manual_seed(0)
    losses = torch.rand((200, 2, 40), generator=random, dtype=torch.double)
    values = [threshold_advantage(one, other).value for one, other in losses]
    assert abs(sum(values) / 200) < 0.03


def test_too_few_rows_for_a_threshold_are_refused():
    with pytest.raises(EvidenceError, match="four"):
        threshold_advantage(doubles(1, 2, 3), torch.ones(10).double())


def test_the_distance_of_predictions_by_hand():
    one, other = doubles([1.0, 0.0], [0.5, 0.5]), doubles([0.0, 1.0], [0.7, 0.3])
    assert prediction_distance(one, other) == pytest.approx((1 + 0.2) / 2)
    assert prediction_distance(one, one) == 0.0
    with pytest.raises(EvidenceError, match="same rows"):
        prediction_distance(one, other[:1])


FEATURES = 20


def noise(count, seed):
    """Labels that nothing but the row itself tells: a model can only learn them by heart."""
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, FEATURES, generator=random)
    return TensorRows(inputs, torch.randint(2, (count,), generator=random))


@pytest.fixture(scope="module")
def world():
    rows = {name: noise(200, seed) for seed, name in enumerate(("forget", "retain", "holdout"))}
    model = nn.Sequential(nn.Linear(FEATURES, 128), nn.ReLU(), nn.Linear(128, 2))
    both = TensorRows(
        torch.cat([rows["forget"].inputs, rows["retain"].inputs]),
        torch.cat([rows["forget"].labels, rows["retain"].labels]),
    )
    train(model, both, TrainingConfig(epochs=60, batch_size=50, learning_rate=3e-3))
    return model, rows


def test_what_was_learned_is_relearned_faster_and_what_was_not_is_not(world):
    model, rows = world
    goal = float(read_scores(model, rows["forget"], chunk_size=200).losses.mean())
    before = Fingerprint.of(model)
    assert relearning_speed(model, rows["forget"], rows["holdout"], goal=goal) > 3
    before.assert_same(model)
    other = relearning_speed(model, noise(200, 8), rows["holdout"], goal=goal)
    assert 0.6 < other < 1.6
    few = relearning_speed(model, noise(200, 8), rows["holdout"], goal=goal, chunk_size=48)
    assert few == pytest.approx(other, rel=0.1)
    with pytest.raises(EvidenceError, match="rows"):
        relearning_speed(model, noise(0, 1), rows["holdout"], goal=goal)


def test_a_holdout_that_begins_with_its_easiest_rows_is_compared_by_all_of_them(world):
    model, rows = world
    goal = float(read_scores(model, rows["forget"], chunk_size=200).losses.mean())
    order = read_scores(model, rows["holdout"], chunk_size=200).losses.argsort()
    easy_first = TensorRows(rows["holdout"].inputs[order], rows["holdout"].labels[order])
    assert 0.6 < relearning_speed(model, noise(50, 8), easy_first, goal=goal) < 1.6
