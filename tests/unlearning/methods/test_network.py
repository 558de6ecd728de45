import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, linear_model
from unlearning.errors import DivergenceError
from unlearning.methods.network import REACH, Network, descended, endless_batches, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.margins import margin


def network_of(model):
    return Network(model, "cpu", 8)


def test_moves_are_the_networks_own_and_never_the_models(rows):
    model, data = linear_model(5, 3), rows(20)
    before = Fingerprint.of(model)
    network = network_of(model)
    start = [value.detach().clone() for value in network.parameters()]
    network.move([torch.ones_like(value) for value in start], length=1e-3)
    for value, old in zip(network.parameters(), start, strict=True):
        torch.testing.assert_close(value.detach(), old + 1e-3)
    network.reset(start)
    torch.testing.assert_close(network.read(data).values, model(data.inputs).detach())
    before.assert_same(model)


def test_no_step_is_longer_than_the_reach():
    network = network_of(linear_model(5, 3))
    start, length = [value.detach().clone() for value in network.parameters()], network.length
    network.move([torch.full_like(value, 1e6) for value in start], length=-1.0)
    moved = [new.detach() - old for new, old in zip(network.parameters(), start, strict=True)]
    assert network.length_of(moved) == pytest.approx(REACH * length, rel=1e-5)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_direction_that_is_not_finite_is_refused(number):
    network = network_of(linear_model(5, 3))
    with pytest.raises(DivergenceError, match="step is not finite"):
        network.move([torch.full_like(v, number) for v in network.parameters()], length=1.0)


def test_margins_along_a_direction_are_those_of_the_moved_model(rows):
    model, data = linear_model(5, 3), rows(10)
    network = network_of(model)
    way = [torch.ones_like(value) for value in network.parameters()]
    found = network.batch_margins(data.inputs, data.labels, way=way, length=0.1)
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1)
    torch.testing.assert_close(found, margin(model(data.inputs), data.labels))


def test_a_first_step_of_descent_is_that_of_adam(rows):
    model, data = linear_model(5, 3), rows(10)
    problem = UnlearningProblem(model=model, forget=data, retain=data, holdout=data)
    network = network_of(model)
    found = descended(problem, network, [lambda: network.loss(data, torch.arange(10))], 1e-2)
    loss = nn.functional.cross_entropy(model(data.inputs), data.labels)
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    for (name, value), slope in zip(model.named_parameters(), slopes, strict=True):
        expected = value.detach() - 1e-2 * slope / (slope.abs() + 1e-8)
        torch.testing.assert_close(found[name], expected)


def test_an_epoch_has_every_row_once_and_the_next_one_another_order():
    random = torch.Generator().manual_seed(0)
    batches = list(epoch_batches(10, 4, 2, random))
    assert [len(batch) for batch in batches] == [4, 4, 2] * 2
    first, second = torch.cat(batches[:3]), torch.cat(batches[3:])
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(10))
    assert first.tolist() != second.tolist()


def test_endless_batches_begin_again():
    batches = endless_batches(3, 3, torch.Generator().manual_seed(0))
    assert all(next(batches).sort().values.tolist() == [0, 1, 2] for _ in range(4))
