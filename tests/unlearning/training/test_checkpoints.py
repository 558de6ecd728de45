import copy

import pytest
import torch

from tests.unlearning.conftest import Stateful, export
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import ModelError
from unlearning.methods.retrain import trained_anew
from unlearning.training.training import train

CONFIG = TrainingConfig(epochs=6, batch_size=8, learning_rate=1e-2, seed=3)


class Kept:
    """Checkpoints in memory; the machine may be killed right after one was saved."""

    def __init__(self, killed_after=None):
        self.state, self.saves, self.killed_after = None, 0, killed_after

    def load(self):
        return self.state

    def is_due(self):
        return True

    def save(self, state):
        self.state = copy.deepcopy(state)
        self.saves += 1
        if self.saves == self.killed_after:
            raise KeyboardInterrupt


@pytest.mark.parametrize("killed_after", [1, 4, 6])
def test_a_training_that_was_killed_ends_with_the_same_bits(rows, killed_after):
    data, whole, cut = rows(40), Stateful(), Stateful()
    cut.load_state_dict(whole.state_dict())
    fresh = copy.deepcopy(cut.state_dict())
    train(whole, data, CONFIG)

    kept = Kept(killed_after)
    with pytest.raises(KeyboardInterrupt):
        train(cut, data, CONFIG, checkpoints=kept)
    cut.load_state_dict(fresh)
    seen = []
    train(cut, data, CONFIG, checkpoints=kept, on_epoch=lambda epoch, _: seen.append(epoch))

    assert seen == list(range(killed_after + 1, 7))
    assert all(value.equal(cut.state_dict()[name]) for name, value in whole.state_dict().items())


@pytest.mark.filterwarnings("ignore")  # torch deprecates what its own exported models use
def test_a_retrain_goes_on_whatever_form_the_model_has(rows):
    data = rows(40)
    exported = export(
        torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    )
    for original in (Stateful(), exported):
        expected = trained_anew(original, data, CONFIG, device="cpu")
        kept = Kept(killed_after=3)
        with pytest.raises(KeyboardInterrupt):
            trained_anew(original, data, CONFIG, device="cpu", checkpoints=kept)
        actual = trained_anew(original, data, CONFIG, device="cpu", checkpoints=kept)
        assert kept.saves == 6
        assert all(value.equal(actual[name]) for name, value in expected.items())


def test_the_state_of_another_model_is_refused(rows):
    kept = Kept()
    train(torch.nn.Linear(5, 3), rows(20), CONFIG, checkpoints=kept)
    with pytest.raises(ModelError, match="another form"):
        train(Stateful(), rows(20), CONFIG, checkpoints=kept)
