"""The curvature beside that of curvlinops, which is written by others from the same papers."""

from importlib import import_module

import pytest
import torch
from torch import nn

from unlearning.curvature.curvature import conjugate_gradients, fisher_diagonal, gauss_newton
from unlearning.curvature.kronecker_factors import Factors
from unlearning.model.rows import TensorRows

# It is made with torch.jit in parts, which torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")


@pytest.fixture(scope="module")
def curvlinops():
    return import_module("curvlinops")


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double().eval()


@pytest.fixture
def data(rows):
    return TensorRows(rows(20).inputs.double(), rows(20).labels)


def chunks(data, size=8):
    return list(data.chunks(size))


def operator(kind, model, data):
    return kind(model, nn.CrossEntropyLoss(), list(model.parameters()), chunks(data))


def vector(model, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype)
        for name, value in model.named_parameters()
    }


def test_the_fisher_diagonal_is_that_of_the_empirical_fisher(curvlinops, model, data):
    fisher = operator(curvlinops.EFLinearOperator, model, data)
    size = sum(value.numel() for value in model.parameters())
    expected = (fisher @ torch.eye(size).double()).diagonal()
    found = torch.cat([part.flatten() for part in fisher_diagonal(model, data).values()])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("chunk_size", [7, 100])
def test_the_product_is_that_of_the_generalised_gauss_newton_matrix(
    curvlinops, model, data, chunk_size
):
    way = vector(model)
    found = gauss_newton(model, data, chunk_size=chunk_size)(way)
    expected = operator(curvlinops.GGNLinearOperator, model, data) @ list(way.values())
    for one, other in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("damping", [0.1, 1.0])
def test_conjugate_gradients_solve_what_those_of_curvlinops_solve(curvlinops, model, data, damping):
    right = vector(model)
    product = gauss_newton(model, data, chunk_size=100)
    found = conjugate_gradients(product, right, iterations=200, damping=damping)
    matrix = operator(curvlinops.GGNLinearOperator, model, data)
    shapes = [value.shape for value in model.parameters()]
    examples = import_module("curvlinops.examples")
    damped = matrix + damping * examples.IdentityLinearOperator(shapes, matrix.device, torch.double)
    solver = curvlinops.CGInverseLinearOperator(damped, tolerance=1e-9, eps=0.0, max_iter=500)
    expected = solver @ list(right.values())
    for one, other in zip(found.values(), expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


class Readout(nn.Module):
    """One score of each row: a trained layer under a fixed vector."""

    readout: torch.Tensor

    def __init__(self, weights):
        super().__init__()
        self.layer = nn.Linear(5, 3, bias=False).double()
        self.register_buffer("readout", weights)

    def forward(self, inputs):
        return self.layer(inputs) @ self.readout.unsqueeze(1)


def test_where_gradients_differ_in_direction_alone_the_factors_are_those_of_k_fac(curvlinops):
    """Then the Kronecker products are the curvature itself, and so the same, by either formula."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(12, 5, generator=generator).double()
    inputs /= inputs.norm(dim=1, keepdim=True)
    readout = torch.randn(3, generator=generator).double()
    model, weights = Readout(readout), torch.full((12,), 1 / 12, dtype=torch.double)
    factors = Factors.like(model.layer.weight.detach())
    factors.add_rows(torch.einsum("o,bi->boi", readout, inputs), weights)
    assert factors.right is not None
    ours = torch.kron(factors.left, factors.right) / factors.left.trace()
    theirs = curvlinops.KFACLinearOperator(
        model,
        nn.MSELoss(reduction="sum"),
        list(model.parameters()),
        [(inputs, torch.zeros(12, 1).double())],
        fisher_type=curvlinops.FisherType.TYPE2,
    )
    # The second derivative of a squared error is 2, and theirs is a sum over the rows.
    torch.testing.assert_close(ours, theirs @ torch.eye(15).double() / (2 * 12))
