import pytest
import torch

from unlearning.curvature.kronecker_factors import Factors, KroneckerOperator, inverse, root
from unlearning.errors import DivergenceError
from unlearning.model.row_gradients import Outer


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.double)


def dense(operator):
    """left (x) right as one matrix over row-major entries."""
    sides = operator.left, operator.right
    return torch.kron(*(side if side.ndim == 2 else side.diag() for side in sides))


@pytest.mark.parametrize("left", [(4, 4), (4,)])
@pytest.mark.parametrize("right", [(3, 3), (3,)])
def test_an_operator_is_its_kronecker_product_and_the_transpose_of_it(left, right):
    operator = KroneckerOperator(numbers(*left), numbers(*right, seed=1))
    way = numbers(4, 3, seed=2)
    matrix = dense(operator)
    torch.testing.assert_close(operator.times(way).flatten(), matrix @ way.flatten())
    torch.testing.assert_close(operator.transpose_times(way).flatten(), matrix.T @ way.flatten())


def test_rows_kept_as_outer_products_go_through_as_whole_gradients_do():
    operator = KroneckerOperator(numbers(4, 4), numbers(3, 3, seed=1))
    outer = Outer(numbers(5, 2, 4, seed=2), numbers(5, 2, 3, seed=3), torch.Size((4, 3)))
    whole = torch.einsum("bto,bti->boi", outer.outputs, outer.inputs)
    found = operator.transpose_times_rows(outer)
    assert isinstance(found, Outer)
    torch.testing.assert_close(
        torch.einsum("bto,bti->boi", found.outputs, found.inputs),
        operator.transpose_times_rows(whole),
    )


@pytest.mark.parametrize("outer", [False, True])
def test_the_sums_over_rows_are_those_of_their_products(outer):
    rows = Outer(numbers(6, 2, 4), numbers(6, 2, 3, seed=1), torch.Size((4, 3)))
    whole, weights = torch.einsum("bto,bti->boi", rows.outputs, rows.inputs), numbers(6).abs()
    factors = Factors.like(whole[0])
    factors.add_rows(rows if outer else whole, weights)
    torch.testing.assert_close(factors.left, torch.einsum("b,boi,bpi->op", weights, whole, whole))
    torch.testing.assert_close(factors.right, torch.einsum("b,boi,boj->ij", weights, whole, whole))
    assert factors.trace == pytest.approx(float((weights @ whole.flatten(1).square()).sum()))


def test_a_root_times_its_transpose_is_the_inverse():
    half = numbers(5, 5)
    factor = half @ half.T + torch.eye(5, dtype=torch.double)
    torch.testing.assert_close(root(factor) @ root(factor).T, torch.linalg.inv(factor))
    torch.testing.assert_close(inverse(factor), torch.linalg.inv(factor))
    diagonal = factor.diagonal()
    torch.testing.assert_close(root(diagonal).square(), inverse(diagonal))


@pytest.mark.parametrize("invert", [root, inverse])
def test_a_factor_that_is_not_positive_has_no_inverse(invert):
    with pytest.raises(DivergenceError, match="rounding alone"):
        invert(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
