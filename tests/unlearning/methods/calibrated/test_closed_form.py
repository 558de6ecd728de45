from collections import deque
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.oracles import linear_model
from unlearning.config.calibration_config import CalibrationConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.kronecker import SplitPreconditioner
from unlearning.errors import DivergenceError
from unlearning.methods import network as network_of_methods
from unlearning.methods.calibrated import closed_form
from unlearning.methods.calibrated.batches import GoalBatches, GoalMultiplier
from unlearning.methods.calibrated.goals import Goals
from unlearning.methods.calibrated.update import calibrated_update
from unlearning.methods.network import Network
from unlearning.model.forward import model_copy
from unlearning.model.row_gradients import RowGradients, RowPass
from unlearning.model.rows import TensorRows

ONE = CalibrationConfig(max_steps=1, tolerance=1e-9, closed_form_batch=52)
"""A single step on all rows of the problem below."""


OFF = 0.02
"""How far the goals of forget rows are from where they stand."""

LIFT = 12 / CalibrationConfig().full_weight_rows
"""How far those of retain rows are at first."""


def problem(rows):
    return {"forget": rows(12), "retain": rows(40, 1), "holdout": rows(30, 2)}


def update(model, sets, rule):
    return calibrated_update(model, **sets, config=UnlearningConfig(calibration=rule))


def batches_over(sets, rule, network=None, off=OFF):
    """The batches of the problem; where a network is given, with goals a little off its margins."""
    forget, retain = (
        network.batch_margins(sets[name].inputs, sets[name].labels).detach() if network else zeros
        for name, zeros in (("forget", torch.zeros(12)), ("retain", torch.zeros(40)))
    )
    goals = Goals(forget - off, retain, distance=1.0)
    random = torch.Generator().manual_seed(0)
    return GoalBatches(sets["forget"], sets["retain"], goals, rule, random, "cpu", is_exact=True)


def approach(network, batches, rule, example):
    """Whether the closed form arrives, for goals that are one apart at first."""
    rows = closed_form.row_pass(network, example, 12, rule)
    assert rows is not None
    return closed_form.approach_by_closed_form(network, batches, 1.0, rows, rule)


@pytest.mark.parametrize(("ridge", "off"), [(0.03, OFF), (3.0, OFF), (0.03, 5.0)])
def test_a_step_is_the_minimum_of_what_the_docstring_says(rows, ridge, off, monkeypatch):
    """Where the derivative of the objective is zero: C^-1 J^T W (phi - g - J d) = a d."""
    monkeypatch.setattr(network_of_methods, "REACH", 1e9)  # no step is cut off
    model = nn.Sequential(nn.Linear(5, 60), nn.Tanh(), nn.Linear(60, 3)).double()
    sets = {
        name: TensorRows(held.inputs.double(), held.labels) for name, held in problem(rows).items()
    }
    rule = replace(ONE, ridge=ridge)
    network = Network(model, "cpu", 1024)
    batch = next(iter(batches_over(sets, rule, network, off)))
    read = RowPass(model, network.state, network.names, sets["forget"].inputs[:1])
    margins, gradients = read(network.state, batch.inputs, batch.labels)
    before = [value.detach().clone() for value in network.parameters()]
    approach(network, batches_over(sets, rule, network, off), rule, sets["retain"])
    step = [old - new.detach() for old, new in zip(before, network.parameters(), strict=True)]

    whole = torch.stack(
        [
            torch.cat([p.flatten() for p in gradients.combined(row)])
            for row in torch.eye(52).double()
        ]
    )
    preconditioner = SplitPreconditioner.from_rows(
        gradients, batch.weights, damping=rule.closed_form_damping
    )
    moved = torch.cat([part.flatten() for part in step])
    away = margins - batch.goals
    weights = batch.weights / away.abs().clamp(min=1)
    pull = whole.T @ (weights * (away - whole @ moved))
    pieces = [
        p.reshape(old.shape)
        for p, old in zip(pull.split([b.numel() for b in before]), before, strict=True)
    ]
    white = preconditioner.preconditioned(RowGradients([piece[None] for piece in pieces]))
    direction = torch.cat(
        [p.flatten() for p in preconditioner.direction([part[0] for part in white.tensors()])]
    )
    torch.testing.assert_close(direction, ridge * moved, rtol=1e-6, atol=1e-9)
    assert float(moved.norm()) > 1e-3


class Noted(nn.Module):
    """A model that notes how many rows each pass has, those read one by one apart."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.batches, self.passes = inner, [], deque()

    def forward(self, inputs):
        if torch.func.debug_unwrap(inputs) is not inputs:
            self.passes.append(inputs.shape)  # a list would be put back
        else:
            self.batches.append(len(inputs))
        return self.inner(inputs)


def test_the_passes_are_those_that_the_docstring_names(rows):
    model = Noted(linear_model(5, 3))
    rule = replace(ONE, max_steps=3, retain_sample=30, holdout_sample=20, closed_form_batch=25)
    update(model, problem(rows), rule)
    # The three sets, a row and some rows to try the model on, and where the rows stand after steps;
    # then the descent, from which three steps of the closed form cannot keep it.
    assert model.batches[:8] == [12, 30, 20, 1, 16, 25, 25, 25]
    assert len(model.passes) == 1 + 3  # some rows to try it on; each of three steps in one chunk


@pytest.mark.parametrize(("size", "found"), [(0, 24), (30, 30), (1000, 52)])
def test_a_step_has_the_rows_it_is_given_but_retain_rows_for_every_forget_row(rows, size, found):
    rule = replace(ONE, closed_form_batch=max(size, 1))
    batches = batches_over(problem(rows), rule)
    assert len(next(iter(batches)).labels) == found


def same(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


def is_descent(model, sets, rule):
    """Whether the update is bit for bit that of small steps alone."""
    return same(update(model, sets, rule), update(model, sets, replace(rule, closed_form_rows=0)))


def test_it_is_for_small_forget_sets_only(rows):
    model, sets = linear_model(5, 3), problem(rows)
    assert not is_descent(model, sets, replace(ONE, closed_form_rows=12))
    assert is_descent(model, sets, replace(ONE, closed_form_rows=11))
    assert is_descent(model, sets, replace(ONE, forget_batch=11))


def test_a_model_too_large_for_it_takes_small_steps(rows, monkeypatch):
    monkeypatch.setattr(closed_form, "_MOST_NUMBERS", 100)
    assert is_descent(linear_model(5, 3), problem(rows), ONE)


class Odd(nn.Module):
    """Models that do not treat one row as they treat many; made by their `forward`."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(5, 6), nn.Linear(6, 3)
        self.norm = nn.BatchNorm1d(6, track_running_stats=False)


class LooksAtNumbers(Odd):
    def forward(self, inputs):
        scores = self.last(self.first(inputs).relu())
        return scores if float(scores.detach().sum()) > -1e9 else 2 * scores


class Squeezes(Odd):
    def forward(self, inputs):
        return self.last(self.first(inputs).relu()).squeeze()


class SharesStatistics(Odd):
    def forward(self, inputs):
        return self.last(self.norm(self.first(inputs)).relu())


class LendsWeights(Odd):
    def forward(self, inputs):
        hidden = self.first(inputs)
        return self.last(torch.tanh(hidden)) + nn.functional.linear(hidden, self.last.weight)


class RefusesOneRow(Odd):
    def forward(self, inputs):
        if len(inputs) < 2:
            raise KeyError("one row")
        return self.last(self.first(inputs).relu())


@pytest.mark.parametrize(
    "kind", [LooksAtNumbers, Squeezes, SharesStatistics, LendsWeights, RefusesOneRow]
)
def test_a_model_that_is_not_what_it_seems_row_by_row_takes_small_steps(kind, rows):
    assert is_descent(kind(), problem(rows), ONE)


class Tokens(Odd):
    """Places of a row become rows of a layer, and back."""

    def forward(self, inputs):
        hidden = self.first(inputs.repeat_interleave(4, 0)).relu().reshape(len(inputs), 4, 6)
        return self.last(input=hidden.mean(1))


class Ordered(Odd):
    """The dimension of the rows comes second."""

    def forward(self, inputs):
        return self.last(self.first(inputs.unsqueeze(0).repeat(4, 1, 1)).relu()).mean(0)


class Attends(Odd):
    """A bias that is the same for all keys has no gradient but rounding."""

    def forward(self, inputs):
        places = inputs.unsqueeze(1) * torch.linspace(0.5, 2, 4).reshape(1, 4, 1)
        weights = (self.first(places).sum(2) * 0 + self.norm.bias[0] + inputs.sum(1, True)).softmax(
            1
        )
        return self.last(self.first((weights.unsqueeze(2) * places).sum(1)).relu())


@pytest.mark.parametrize("kind", [Tokens, Ordered, Attends])
def test_layers_that_see_rows_in_another_shape_are_read_rightly(kind, rows):
    assert not is_descent(kind(), problem(rows), ONE)


def test_what_does_not_arrive_in_eight_steps_goes_on_in_small_ones(rows):
    model = Noted(linear_model(5, 3))
    update(model, problem(rows), replace(ONE, max_steps=60, remaining_share=0.0))
    assert len(model.passes) == 1 + 8
    assert model.batches.count(52) > 8 + 60


def test_a_step_that_leads_nowhere_is_taken_back(rows, monkeypatch):
    monkeypatch.setattr(
        SplitPreconditioner,
        "direction",
        lambda _, way: [torch.full_like(part, float("inf")) for part in way],
    )
    found = update(linear_model(5, 3), problem(rows), ONE)
    assert all(bool(value.isfinite().all()) for value in found.values())


def test_steps_that_lead_away_are_taken_back(rows):
    sets = problem(rows)
    network = Network(linear_model(5, 3), "cpu", 1024)
    start = [value.detach().clone() for value in network.parameters()]
    batches, read = batches_over(sets, ONE), closed_form.row_pass(network, sets["retain"], 12, ONE)
    assert read is not None
    # Nearer at first than one step can bring them.
    assert not closed_form.approach_by_closed_form(network, batches, 1e-9, read, ONE)
    assert all(torch.equal(*pair) for pair in zip(network.parameters(), start, strict=True))


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_step_that_is_not_finite_is_refused(number):
    network = Network(linear_model(5, 3), "cpu", 1024)
    way = [torch.full_like(value, number) for value in network.parameters()]
    with pytest.raises(DivergenceError, match="not finite"):
        network.move(way, length=1.0)
    assert all(bool(value.isfinite().all()) for value in network.parameters())


def test_an_exported_model_takes_small_steps(rows, exported, export_source):
    held, sets = rows(30), problem(rows)
    read = [
        closed_form.row_pass(Network(model, "cpu", 1024), held, 12, ONE)
        for model in (export_source, exported, model_copy(exported))
    ]
    assert [one is None for one in read] == [False, True, True]
    one, other = (
        update(model, sets, replace(ONE, closed_form_rows=few))
        for model, few in ((exported, ONE.closed_form_rows), (export_source, 0))
    )
    for name, value in other.items():
        torch.testing.assert_close(one[name], value, rtol=1e-3, atol=1e-5)


def test_a_gradient_that_is_not_finite_is_refused_before_any_step(rows):
    class Rooted(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs) + 0 * self.bias.abs().sqrt()  # infinite slope at 0

    model = Rooted(5, 3)
    nn.init.zeros_(model.bias)
    with pytest.raises(DivergenceError, match="gradient of the model is not finite"):
        update(model, problem(rows), ONE)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError(), RuntimeError("you can't allocate memory: 9 bytes")]
)
def test_a_lack_of_memory_is_not_taken_for_a_property_of_the_model(rows, monkeypatch, error):
    def no_memory(*_, **__):
        raise error

    monkeypatch.setattr(closed_form, "RowPass", no_memory)
    with pytest.raises(type(error)) as raised:
        update(linear_model(5, 3), problem(rows), ONE)
    assert raised.value is error


def test_weights_of_zero_let_retain_rows_go(rows):
    found = update(linear_model(5, 3), problem(rows), replace(ONE, retain_weight=0.0))
    assert all(bool(value.isfinite().all()) for value in found.values())


def wide_problem(model, rule):
    """More weights than rows, so that all goals can be met at once."""
    generator = torch.Generator().manual_seed(2)
    inputs, labels = torch.randn(52, 200, generator=generator), torch.arange(52) % 2
    sets = {
        name: TensorRows(inputs[rows], labels[rows])
        for name, rows in (("forget", slice(12)), ("retain", slice(12, 52)))
    }
    network = Network(model, "cpu", 1024)
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(30)  # so that no step is cut off
    return network, batches_over(sets, rule, network), inputs, labels


ARRIVING = replace(ONE, ridge=1e-6)


def test_margins_that_are_linear_in_the_weights_arrive_in_one_step():
    network, batches, inputs, labels = wide_problem(linear_model(200, 1), ARRIVING)
    before = network.batch_margins(inputs, labels).detach()
    assert approach(network, batches, ARRIVING, TensorRows(inputs, labels))
    moved = network.batch_margins(inputs, labels).detach() - before
    torch.testing.assert_close(moved[:12], torch.full((12,), -OFF), rtol=0, atol=5e-4)
    torch.testing.assert_close(moved[12:], torch.full((40,), LIFT), rtol=0, atol=5e-4)


class Lacking(GoalMultiplier):
    """Goals that stay as they are, of which retain rows always lack a half."""

    def update(self, *_):
        return 0.5


@pytest.mark.parametrize(("lacking", "steps_taken"), [(1.0, 1), (0.0, 8)])
def test_it_ends_once_forget_rows_are_near_and_retain_rows_lack_little(lacking, steps_taken):
    rule = replace(ARRIVING, max_steps=60, tolerance=5e-4, retain_tolerance=lacking)
    model = Noted(linear_model(200, 1))
    network, batches, *example = wide_problem(model, rule)
    batches.multiplier = Lacking(LIFT)
    assert approach(network, batches, rule, TensorRows(*example))
    assert len(model.passes) == 1 + steps_taken


def test_a_step_is_never_longer_than_a_tenth_of_the_weights(rows):
    model = linear_model(5, 3)
    sets = problem(rows)
    sets["forget"] = TensorRows(sets["forget"].inputs, model(sets["forget"].inputs).argmin(1))
    network = Network(model, "cpu", 1024)
    goals = Goals(torch.full((12,), 50.0), torch.zeros(40), distance=1.0)
    random = torch.Generator().manual_seed(0)
    batches = GoalBatches(sets["forget"], sets["retain"], goals, ONE, random, "cpu", is_exact=True)
    before, length = [v.detach().clone() for v in network.parameters()], network.length
    assert not approach(network, batches, ONE, sets["retain"])
    step = [v.detach() - old for v, old in zip(network.parameters(), before, strict=True)]
    assert network.length_of(step) == pytest.approx(0.1 * length)
