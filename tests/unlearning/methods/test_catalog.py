from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from tests.oracles import (
    Fingerprint,
    first_adam_step,
    linear_model,
    softmax_linear_gradient,
)
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.method_configs import CurvatureConfig
from unlearning.config.unlearning_config import MethodName, UnlearningConfig
from unlearning.errors import (
    DataError,
    DivergenceError,
    SettingsError,
    StaleLedgerError,
    UnsupportedModelError,
)
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.methods.catalog import METHODS, unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem, model_state
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows

PAPER = ["published_step", "theory_step"]
ALL = sorted(METHODS)
UPDATES = sorted(set(METHODS) - {"retrain"})
SHORT = CalibrationConfig(max_steps=4, tolerance=1e-6, remaining_share=0.0)


EAGER = CurvatureConfig(iterations=3, selection=0.1, dampening=0.05)  # so that SSD moves all


def split(data, forgotten):
    forget = TensorRows(data.inputs[:forgotten], data.labels[:forgotten])
    return forget, TensorRows(data.inputs[forgotten:], data.labels[forgotten:])


@pytest.fixture
def problem(rows):
    forget, retain = split(rows(40), 8)
    return UnlearningProblem(
        model=linear_model(5, 3), forget=forget, retain=retain, holdout=rows(10, seed=1)
    )


def ledger_of(problem):
    inputs = torch.cat([problem.forget.inputs, problem.retain.inputs])
    labels = torch.cat([problem.forget.labels, problem.retain.labels])
    gradient = mean_gradient(problem.model, TensorRows(inputs, labels), chunk_size=16)
    return Ledger(gradient, model_digest="m", dataset="d@1")


def config(method, **changes):
    return UnlearningConfig(
        method=method, chunk_size=16, calibration=SHORT, curvature=EAGER, **changes
    )


def closed_form_direction(problem):
    def over(rows):
        weight, bias = problem.model.weight, problem.model.bias
        return softmax_linear_gradient(weight, bias, rows.inputs, rows.labels)

    retain, forget = over(problem.retain), over(problem.forget)
    return {name: retain[name] - forget[name] for name in retain}


def test_the_methods_are_exactly_the_names_that_the_configuration_allows():
    assert set(METHODS) == set(get_args(MethodName))
    assert set(PAPER) < set(METHODS)


def test_the_reference_step_of_a_linear_model_by_hand(problem):
    state = unlearn(problem, config("published_step", learning_rate=0.01))
    for name, g in closed_form_direction(problem).items():
        expected = first_adam_step(problem.model.state_dict()[name].double(), g, 0.01)
        torch.testing.assert_close(state[name].double(), expected, rtol=1e-5, atol=1e-6)


def test_the_theory_step_of_a_linear_model_by_hand(problem):
    state = unlearn(problem, config("theory_step", step_size=0.5))
    for name, g in closed_form_direction(problem).items():
        expected = problem.model.state_dict()[name].double() - 0.5 * (8 / 40) * g
        torch.testing.assert_close(state[name].double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", PAPER)
def test_the_ledger_gives_the_step_of_a_full_pass_without_reading_retain_rows(problem, method):
    class Unreadable:
        count = 1

        def chunks(self, size):
            raise AssertionError("retain rows were read")

    full = unlearn(problem, config(method))
    cheap = unlearn(
        replace(problem, retain=Unreadable(), ledger=ledger_of(problem)), config(method)
    )
    for name, value in full.items():
        torch.testing.assert_close(cheap[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["stateful", "exported"])
@pytest.mark.parametrize("method", UPDATES)
def test_the_original_is_left_bit_for_bit_as_it_was_and_buffers_are_kept(
    problem, method, name, request
):
    model = request.getfixturevalue(name)
    before = Fingerprint.of(model)
    state = unlearn(replace(problem, model=model), config(method))
    before.assert_same(model)
    assert state.keys() == model.state_dict().keys()
    for buffer, value in model.named_buffers():
        assert torch.equal(state[buffer], value)
    for parameter, value in model.named_parameters():
        is_zero_dampened = method == "ssd" and not value.any()
        assert is_zero_dampened or not torch.equal(state[parameter], value)
    original = {value.data_ptr() for value in model.state_dict().values()}
    assert original.isdisjoint(value.data_ptr() for value in state.values())


@pytest.mark.parametrize("method", ALL)
def test_a_rerun_gives_the_same_bits(problem, stateful, method):
    first, second = (unlearn(replace(problem, model=stateful), config(method)) for _ in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


class Casting(nn.Linear):
    """A layer of any precision that takes rows as they come."""

    def forward(self, inputs):
        return super().forward(inputs.to(self.weight.dtype))


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("method", ALL)
def test_weights_of_any_precision_are_moved_and_come_back_in_their_own(problem, method, kind):
    model = Casting(5, 3).to(kind)
    state = unlearn(replace(problem, model=model), config(method))
    assert {value.dtype for value in state.values()} == {kind}
    assert not torch.equal(state["weight"], model.weight)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_moved_as_single_precision_would_be(problem, kind):
    model, single = Casting(5, 3).to(kind), Casting(5, 3)
    single.load_state_dict(model.state_dict())
    found, right = (
        unlearn(replace(problem, model=m), config("calibrated")) for m in (model, single)
    )
    assert torch.equal(found["weight"], right["weight"].to(kind))


@pytest.mark.parametrize("method", ALL)
def test_the_state_fits_the_model_it_came_from(problem, stateful, method):
    state = unlearn(replace(problem, model=stateful), config(method))
    stateful.load_state_dict(state, strict=True)


@pytest.mark.parametrize("method", ALL)
def test_frozen_parameters_stay_as_they_are(problem, stateful, method):
    stateful.first.requires_grad_(requires_grad=False)
    state = unlearn(replace(problem, model=stateful), config(method))
    assert torch.equal(state["first.weight"], stateful.first.weight)
    assert not torch.equal(state["last.weight"], stateful.last.weight)


@pytest.mark.parametrize("method", ALL)
def test_a_parameter_with_two_names_moves_under_both(problem, method):
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    model[1].weight = model[0].weight
    state = unlearn(replace(problem, model=model), config(method))
    assert torch.equal(state["0.weight"], state["1.weight"])
    assert not torch.equal(state["0.weight"], model.get_parameter("0.weight"))


def test_the_theory_step_brings_a_converged_model_closer_to_the_retrained_one(rows):
    def converged(data):
        weight, bias = torch.zeros(3, 5).double(), torch.zeros(3).double()
        for _ in range(3000):
            g = softmax_linear_gradient(weight, bias, data.inputs, data.labels)
            weight, bias = weight - 0.5 * g["weight"], bias - 0.5 * g["bias"]
        return {"weight": weight, "bias": bias}

    data = rows(60)
    forget, retain = split(data, 6)
    model = nn.Linear(5, 3).double()
    model.load_state_dict(converged(data))
    data = UnlearningProblem(
        model=model,
        forget=TensorRows(forget.inputs.double(), forget.labels),
        retain=TensorRows(retain.inputs.double(), retain.labels),
        holdout=forget,
    )
    state, retrained = unlearn(data, config("theory_step", step_size=3.0)), converged(retain)

    def distance(one):
        return sum(float((one[name] - retrained[name]).square().sum()) for name in one) ** 0.5

    assert distance(state) < 0.6 * distance(model_state(model))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize("name", ["forget", "retain", "holdout"])
def test_an_empty_set_is_refused_by_name(problem, rows, name, method):
    with pytest.raises(DataError, match=f"{name} set is empty"):
        unlearn(replace(problem, **{name: rows(0)}), config(method))


def test_the_calibrated_method_returns_the_calibrated_update_and_needs_no_ledger(problem, stateful):
    plan = config("calibrated")
    sets = {"forget": problem.forget, "retain": problem.retain, "holdout": problem.holdout}
    update = calibrated_update(stateful, **sets, config=plan)
    held = replace(problem, model=stateful)
    stale = replace(held, ledger=ledger_of(problem))  # of another model
    for state in (unlearn(held, plan), unlearn(stale, plan)):
        assert all(torch.equal(state[name], value) for name, value in update.items())
        assert torch.equal(state["norm.running_mean"], stateful.norm.running_mean)


@pytest.mark.parametrize("method", ALL)
def test_a_binary_model_with_one_log_odds_is_unlearned(rows, method):
    def binary(data):
        return TensorRows(data.inputs, data.labels.clamp(max=1))

    forget, retain = split(binary(rows(40)), 8)
    holdout, model = binary(rows(10, seed=1)), linear_model(5, 1)
    state = unlearn(
        UnlearningProblem(model=model, forget=forget, retain=retain, holdout=holdout),
        config(method),
    )
    assert state["weight"].shape == (1, 5)
    assert not torch.equal(state["weight"], model.weight)


def test_a_method_that_is_not_there_is_a_wrong_setting(problem, monkeypatch):
    monkeypatch.delitem(METHODS, "theory_step")
    with pytest.raises(SettingsError, match=r"'theory_step'.*published_step"):
        unlearn(problem, config("theory_step"))


def test_a_ledger_of_another_model_is_stale(problem):
    other = ledger_of(replace(problem, model=nn.Sequential(linear_model(5, 3))))
    with pytest.raises(StaleLedgerError):
        unlearn(replace(problem, ledger=other), config("theory_step"))


def test_a_step_into_infinity_is_refused(problem):
    with pytest.raises(DivergenceError, match="smaller step"):
        unlearn(problem, config("theory_step", step_size=1e300))


def test_a_method_cannot_return_a_nan(problem, monkeypatch):
    def broken(problem, config):
        return model_state(problem.model) | {"bias": torch.full((3,), float("nan"))}

    monkeypatch.setitem(METHODS, "theory_step", broken)
    with pytest.raises(DivergenceError, match="theory_step"):
        unlearn(problem, config("theory_step"))


def test_a_model_with_state_that_is_not_a_tensor_is_refused():
    class Chatty(nn.Linear):
        def get_extra_state(self):
            return {"note": "kept"}

    with pytest.raises(UnsupportedModelError, match="not a tensor"):
        model_state(Chatty(2, 2))


def test_a_method_that_ranks_cannot_share_is_refused_among_several(problem, monkeypatch):
    monkeypatch.setattr("unlearning.methods.catalog.rank_count", lambda: 2)
    with pytest.raises(SettingsError, match="several ranks"):
        unlearn(problem, config("calibrated"))


def test_the_calibrated_update_works_in_float32_whatever_the_precision(problem):
    one, other = (
        unlearn(problem, config("calibrated", precision=p)) for p in ("float32", "bfloat16")
    )
    assert all(one[name].equal(value) for name, value in other.items())


@pytest.mark.parametrize("method", PAPER)
def test_the_precision_of_the_configuration_is_used(problem, method):
    exact, rough = (unlearn(problem, config(method, precision=p)) for p in ("float32", "bfloat16"))
    start = problem.model.state_dict()["weight"]
    one, other = (state["weight"] - start for state in (exact, rough))
    assert not one.equal(other) or method == "published_step"
    assert float(torch.cosine_similarity(one.flatten(), other.flatten(), dim=0)) > 0.9
