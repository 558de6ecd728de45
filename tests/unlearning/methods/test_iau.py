import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import Quadratic, first_adam_step
from unlearning.errors import ModelError
from unlearning.methods.iau import (
    direction,
    gradient_correction,
    incremental_approximation,
    published_step,
    theory_step,
)
from unlearning.model.gradients import Gradient


def gradient(values, count=1):
    return Gradient(values={"theta": values.double()}, row_count=count, mean_loss=0.0)


def quadratic_unlearning(curvature, forgotten, theta, step_size):
    """One theory step on a quadratic loss, and the optimum of the rows that stay."""
    points = torch.randn(20, 3, dtype=torch.float64)
    retain = Quadratic(points[forgotten:], curvature)
    forget = Quadratic(points[:forgotten], curvature)
    start = Quadratic(points, curvature).optimum() if theta is None else theta
    g = direction(gradient(retain.gradient(start)), gradient(forget.gradient(start)))
    moved = theory_step({"theta": start}, g, step_size=step_size, forget_share=forgotten / 20)
    return moved["theta"], retain.optimum()


def test_adding_the_opposite_rows_turns_the_forget_gradient_round():
    values = torch.tensor([1.0, -2.0])
    assert torch.equal(incremental_approximation(gradient(values))["theta"], -values.double())


def test_the_correction_is_the_retain_gradient():
    values = torch.tensor([1.0, -2.0])
    assert torch.equal(gradient_correction(gradient(values))["theta"], values.double())


def test_the_direction_is_retain_minus_forget():
    g = direction(gradient(torch.tensor([1.0, 5.0])), gradient(torch.tensor([3.0, 1.0])))
    assert g["theta"].tolist() == [-2.0, 4.0]


def test_gradients_of_different_models_have_no_direction():
    other = Gradient(values={"phi": torch.zeros(2)}, row_count=1, mean_loss=0.0)
    with pytest.raises(ModelError, match="same model"):
        direction(gradient(torch.zeros(2)), other)


@pytest.mark.parametrize("forgotten", [1, 5, 19])
@pytest.mark.parametrize("curvature", [0.25, 1.0, 4.0])
def test_a_quadratic_is_retrained_exactly_when_the_step_size_is_its_inverse_hessian(
    curvature, forgotten
):
    moved, retrained = quadratic_unlearning(curvature, forgotten, None, 1 / curvature)
    torch.testing.assert_close(moved, retrained, rtol=1e-12, atol=1e-12)


def test_half_the_step_size_goes_half_the_way():
    torch.manual_seed(0)
    whole, _ = quadratic_unlearning(2.0, 4, torch.zeros(3, dtype=torch.float64), 0.5)
    torch.manual_seed(0)
    half, _ = quadratic_unlearning(2.0, 4, torch.zeros(3, dtype=torch.float64), 0.25)
    torch.testing.assert_close(whole, 2 * half, rtol=1e-12, atol=1e-12)


@given(forgotten=st.integers(1, 19), seed=st.integers(0, 99))
def test_the_weighted_direction_is_the_change_of_the_training_gradient(forgotten, seed):
    rows = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    retain, forget, whole = rows[forgotten:].mean(0), rows[:forgotten].mean(0), rows.mean(0)
    g = direction(gradient(retain), gradient(forget))
    state = {"theta": torch.zeros(4, dtype=torch.float64)}
    moved = theory_step(state, g, step_size=1.0, forget_share=forgotten / 20)
    torch.testing.assert_close(moved["theta"], whole - retain, rtol=1e-10, atol=1e-12)


def test_nothing_to_forget_moves_nothing():
    state = {"theta": torch.randn(4)}
    moved = theory_step(state, {"theta": torch.ones(4)}, step_size=3.0, forget_share=0.0)
    assert torch.equal(moved["theta"], state["theta"])


def test_the_reference_step_is_the_algebra_of_the_first_adam_step():
    start = torch.randn(6, dtype=torch.float64)
    g = torch.tensor([1e-9, -1e-8, 1e-3, -2.0, 5e4, 0.0], dtype=torch.float64)
    moved = published_step({"theta": start}, {"theta": g}, learning_rate=1e-3)
    torch.testing.assert_close(
        moved["theta"], first_adam_step(start, g, 1e-3), rtol=1e-12, atol=1e-12
    )


def test_the_reference_step_does_not_see_the_size_of_the_gradient():
    state, g = {"theta": torch.zeros(8)}, torch.randn(8)
    small = published_step(state, {"theta": g}, learning_rate=1e-3)["theta"]
    large = published_step(state, {"theta": 1000 * g}, learning_rate=1e-3)["theta"]
    torch.testing.assert_close(small, large, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(small, -1e-3 * g.sign(), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    "step",
    [
        lambda state, g: theory_step(state, g, step_size=1.0, forget_share=0.5),
        lambda state, g: published_step(state, g, learning_rate=0.1),
    ],
    ids=["theory", "reference"],
)
def test_a_step_copies_what_it_does_not_move_and_leaves_its_arguments_alone(step):
    state = {"theta": torch.ones(2).requires_grad_(), "count": torch.tensor(7)}
    g = {"theta": torch.tensor([1.0, -1.0], dtype=torch.float64)}
    moved, again = step(state, g), step(state, g)
    assert state["theta"].tolist() == [1.0, 1.0]
    assert state["theta"].grad is None
    assert list(moved) == ["theta", "count"]
    assert moved["count"].dtype == torch.int64
    assert moved["theta"].dtype == torch.float32
    assert not any(value.requires_grad for value in moved.values())
    assert moved["theta"].tolist() != [1.0, 1.0]
    assert all(value.data_ptr() != state[name].data_ptr() for name, value in moved.items())
    assert all(torch.equal(value, again[name]) for name, value in moved.items())
