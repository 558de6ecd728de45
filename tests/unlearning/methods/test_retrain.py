import warnings
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.unlearning.conftest import Attending, Tempered
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError
from unlearning.methods.catalog import unlearn
from unlearning.methods.problem import UnlearningProblem
from unlearning.methods.retrain import retrain_obstacle
from unlearning.model.rows import TensorRows

# torch warns about its own internals when an exported model is copied.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

CONFIG = UnlearningConfig(
    method="retrain", retraining=TrainingConfig(epochs=40, batch_size=16, learning_rate=0.01)
)


def plain() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 3))


def export(model: nn.Module) -> nn.Module:
    shapes = ({0: torch.export.Dim.DYNAMIC},)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        example = (torch.randn(4, 5),)
        return torch.export.export(model.eval(), example, dynamic_shapes=shapes).module()


def problem(model, rows, **changes):
    retain = rows(64, seed=1)
    retain = replace(retain, labels=(retain.inputs[:, 0] > 0).long() + 1)
    return UnlearningProblem(
        **({"model": model, "forget": rows(8), "retain": retain, "holdout": rows(9)} | changes)
    )


@pytest.mark.parametrize("form", ["module", "exported"])
def test_the_result_depends_on_the_retain_set_alone(form, rows):
    models = [plain(), plain()]
    models = [export(m) for m in models] if form == "exported" else models
    one = unlearn(problem(models[0], rows), CONFIG)
    other = unlearn(problem(models[1], rows, forget=rows(5, seed=9)), CONFIG)
    assert all(value.equal(other[name]) for name, value in one.items())
    fewer = unlearn(problem(models[0], rows, retain=rows(30, seed=1)), CONFIG)
    assert not all(value.equal(fewer[name]) for name, value in one.items())


@pytest.mark.parametrize("form", ["module", "exported"])
def test_the_retain_set_is_learned(form, rows):
    model = export(plain()) if form == "exported" else plain()
    case = problem(model, rows)
    state = unlearn(case, CONFIG)
    retain = case.retain
    assert isinstance(retain, TensorRows)
    scores = torch.func.functional_call(model, state, (retain.inputs,))
    assert (scores.argmax(1) == retain.labels).float().mean() > 0.95


def test_an_exported_model_that_needs_training_mode_is_refused(rows, exported):
    with pytest.raises(UnsupportedModelError, match="pickled form"):
        unlearn(problem(exported, rows), CONFIG)


def test_a_layer_that_cannot_be_made_new_is_refused(rows):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5, 3))

        def forward(self, inputs):
            return inputs @ self.scale

    with pytest.raises(UnsupportedModelError, match="reset_parameters"):
        unlearn(problem(Scaled(), rows), CONFIG)


def test_a_weight_that_would_be_kept_is_refused(rows):
    model = nn.Sequential(nn.Linear(5, 4), Tempered(4, 3))
    assert "'1'" in retrain_obstacle(model)
    with pytest.raises(UnsupportedModelError, match="'1'"):
        unlearn(problem(model, rows), CONFIG)
    model.get_parameter("1.heat").requires_grad = False
    assert not retrain_obstacle(model)
    assert unlearn(problem(model, rows), CONFIG)["1.heat"] == 2


def test_a_layer_may_make_the_layers_inside_new(rows):
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.ParameterList([nn.Parameter(torch.ones(5, 3))])

        def reset_parameters(self):
            nn.init.normal_(self.inside[0])

        def forward(self, inputs):
            return inputs @ self.inside[0]

    model = Whole()
    assert not retrain_obstacle(model)
    state = unlearn(problem(model, rows), CONFIG)
    assert bool(state["inside.0"].isfinite().all())


def test_attention_is_made_new(rows):
    model, other = Attending(), Attending()
    one, two = (unlearn(problem(each, rows), CONFIG) for each in (model, other))
    for name, before in model.named_parameters():
        assert not torch.equal(one[name], before)
        assert torch.equal(one[name], two[name])


class Averaging(nn.Module):
    """A layer that learns a buffer and does not know how to make it new; or keeps a constant."""

    mean: torch.Tensor

    def __init__(self, *, learns):
        super().__init__()
        self.learns = learns
        self.register_buffer("mean", torch.full((5,), 100.0))

    def forward(self, inputs):
        if self.learns and self.training:
            self.mean.mul_(0.99).add_(inputs.detach().mean(0), alpha=0.01)
        return inputs - self.mean


def test_a_buffer_that_would_live_on_is_refused(rows):
    layer = Averaging(learns=False)
    model = nn.Sequential(layer, nn.Linear(5, 3))
    assert bool((unlearn(problem(model, rows), CONFIG)["0.mean"] == 100).all())
    layer.learns = True
    with pytest.raises(UnsupportedModelError, match=r"buffer '0.mean'"):
        unlearn(problem(model, rows), CONFIG)


def test_a_reset_that_reads_its_weights_is_refused(rows):
    class Reading(nn.Linear):
        def reset_parameters(self):
            if hasattr(self, "is_made"):
                torch.linalg.svd(self.weight)
            self.is_made = True
            super().reset_parameters()

    model = nn.Sequential(Reading(5, 3))
    assert "'0' cannot be made new" in retrain_obstacle(model)


def test_attention_of_another_kind_is_made_new_by_its_own_reset():
    class More(nn.MultiheadAttention):
        def __init__(self):
            super().__init__(4, 2)
            self.scale = nn.Parameter(torch.ones(()))

        def reset_parameters(self):
            nn.init.ones_(self.scale)

    assert not retrain_obstacle(nn.Sequential(More()))


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (nn.Linear(5, 3).requires_grad_(requires_grad=False), "no trainable parameter"),
        (nn.DataParallel(nn.Linear(5, 3)), "spread over"),
    ],
)
def test_what_cannot_be_trained_at_all_is_known_before(model, reason):
    assert reason in retrain_obstacle(model)
