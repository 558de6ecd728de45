import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.oracles import linear_model, norm_of_all, softmax_linear_gradient, sum_of_norms
from tests.unlearning.conftest import Attending, Bag
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import UnsupportedModelError
from unlearning.training.architectures import mlp
from unlearning.training.restriction import restricted_backward, restricted_loss

NORMS = {"global": norm_of_all, "per_tensor": sum_of_norms}


@pytest.mark.parametrize("restriction", ["global", "per_tensor"])
def test_the_restricted_loss_adds_the_norm_of_the_closed_form_gradient(rows, restriction):
    model, data = linear_model(5, 3), rows(20)
    parts = softmax_linear_gradient(model.weight, model.bias, data.inputs, data.labels)
    plain = cross_entropy(model(data.inputs), data.labels).item()
    expected = plain + 0.3 * NORMS[restriction](list(parts.values()))
    loss = restricted_loss(model, data.inputs, data.labels, alpha=0.3, restriction=restriction)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_two_norms_differ_and_the_sum_is_the_larger(rows):
    model, data = linear_model(5, 3), rows(20)
    one, other = (
        restricted_loss(model, data.inputs, data.labels, alpha=1.0, restriction=name).item()
        for name in ("global", "per_tensor")
    )
    assert other > one + 0.01


@pytest.mark.parametrize("restriction", ["global", "per_tensor", "none"])
def test_the_slope_of_the_restricted_loss_agrees_with_finite_differences(rows, restriction):
    model, data = mlp(5, [4], 3, seed=1).double(), rows(12)
    inputs = data.inputs.double()

    def loss():
        return restricted_loss(model, inputs, data.labels, alpha=0.7, restriction=restriction)

    loss().backward()
    for parameter in model.parameters():
        toward = torch.randn_like(parameter)
        slope = float((parameter.grad * toward).sum())
        values = []
        for step in (1e-6, -2e-6):
            parameter.data += step * toward
            values.append(loss().item())
        parameter.data += 1e-6 * toward
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize(("alpha", "restriction"), [(0.0, "global"), (0.5, "none")])
def test_without_restriction_it_is_the_plain_loss(rows, alpha, restriction):
    model, data = linear_model(5, 3), rows(8)
    loss = restricted_loss(model, data.inputs, data.labels, alpha=alpha, restriction=restriction)
    assert torch.equal(loss, cross_entropy(model(data.inputs), data.labels))


@pytest.mark.parametrize("restriction", ["global", "per_tensor"])
def test_a_layer_with_no_gradient_does_not_make_the_slope_nan(rows, restriction):
    model = mlp(5, [4], 3, seed=0)
    with torch.no_grad():
        model.get_parameter("0.bias").fill_(-100.0)  # every hidden unit is dead
    data = rows(8)
    restricted_loss(model, data.inputs, data.labels, alpha=1.0, restriction=restriction).backward()
    assert all(value.grad.isfinite().all() for value in model.parameters())


def gradients(model, data, **changes):
    model.zero_grad()
    loss = restricted_backward(model, data.inputs, data.labels, TrainingConfig(**changes))
    return loss, torch.cat([value.grad.flatten() for value in model.parameters()])


@pytest.mark.parametrize("restriction", ["global", "per_tensor"])
def test_the_finite_difference_agrees_with_double_backward(rows, restriction):
    # Smooth: at a kink of ReLU double backward sees no curvature where the difference sees a jump.
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3)).double()
    data = rows(40)
    data = type(data)(data.inputs.double(), data.labels)
    plain = gradients(model, data, restriction="none")[1]
    exact = gradients(model, data, alpha=0.3, restriction=restriction, derivative="exact")
    for radius, bound in ((1e-5, 1e-4), (1e-2, 0.1)):
        cheap = gradients(model, data, alpha=0.3, restriction=restriction, radius=radius)
        assert cheap[0] == pytest.approx(exact[0], rel=1e-6)
        off = (cheap[1] - exact[1]).norm() / (exact[1] - plain).norm()
        assert off < bound
    assert (exact[1] - plain).norm() > 0.1 * plain.norm()  # the penalty was there to be missed


def test_with_radius_alpha_it_is_the_sharpness_aware_gradient(rows):
    model, data = linear_model(5, 3).double(), rows(30)
    inputs = data.inputs.double()
    here = softmax_linear_gradient(model.weight, model.bias, inputs, data.labels)
    step = {name: 0.2 * value / norm_of_all(list(here.values())) for name, value in here.items()}
    there = softmax_linear_gradient(
        model.weight + step["weight"], model.bias + step["bias"], inputs, data.labels
    )
    restricted_backward(model, inputs, data.labels, TrainingConfig(alpha=0.2, radius=0.2))
    for name, value in there.items():
        torch.testing.assert_close(getattr(model, name).grad, value, rtol=1e-9, atol=1e-12)


def test_the_second_pass_sees_the_same_dropout_and_leaves_batch_statistics_alone(rows):
    data = rows(32)

    def run(**changes):
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
        torch.manual_seed(6)
        return model, gradients(model, data, alpha=0.1, **changes)[1]

    plain_model, plain = run(restriction="none")
    exact_model, exact = run(derivative="exact")
    cheap_model, cheap = run(radius=1e-3)
    assert (cheap - exact).norm() < 0.1 * (exact - plain).norm()
    for name, value in plain_model.named_buffers():
        assert torch.equal(cheap_model.get_buffer(name), value)
        assert torch.equal(exact_model.get_buffer(name), value)


@pytest.mark.parametrize("restriction", ["global", "per_tensor"])
def test_a_dead_layer_does_not_make_the_finite_difference_nan(rows, restriction):
    model = mlp(5, [4], 3, seed=0)
    with torch.no_grad():
        model.get_parameter("0.bias").fill_(-100.0)
    assert gradients(model, rows(8), restriction=restriction)[1].isfinite().all()


def test_attention_can_be_restricted_in_both_forms(rows):
    model, data = Attending().double(), rows(12)
    found = {}
    for derivative in ("exact", "finite_difference"):
        config = TrainingConfig(alpha=0.1, radius=1e-6, derivative=derivative)
        model.zero_grad()
        restricted_backward(model, data.inputs.double(), data.labels, config)
        found[derivative] = [value.grad.clone() for value in model.parameters()]
    for exact, other in zip(*found.values(), strict=True):
        torch.testing.assert_close(other, exact, rtol=1e-3, atol=1e-5)


def test_a_layer_without_a_second_derivative_has_only_the_cheaper_form(rows):
    model, data = Bag(), rows(12)
    restricted_backward(model, data.inputs, data.labels, TrainingConfig(alpha=0.1))
    with pytest.raises(UnsupportedModelError, match="finite differences"):
        restricted_backward(
            model, data.inputs, data.labels, TrainingConfig(alpha=0.1, derivative="exact")
        )
