import pytest
import torch

from unlearning import kronecker
from unlearning.errors import DivergenceError
from unlearning.kronecker import KroneckerCurvature


def sketches(count, *shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(shape, generator=generator, dtype=torch.double) for shape in shapes]
        for _ in range(count)
    ]


def shrunk(factor, samples):
    """The factor and its mean eigenvalue times side over samples on the diagonal."""
    side = len(factor)
    return factor + factor.trace() / samples * torch.eye(side, dtype=factor.dtype)


def factors(matrices):
    left = sum(m @ m.T for m in matrices)
    right = sum(m.T @ m for m in matrices)
    outputs, inputs = matrices[0].shape
    return shrunk(left, len(matrices) * inputs), shrunk(right, len(matrices) * outputs)


def kronecker_matrix(matrices):
    """L (x) R / tr L of a list of [O, I] sketches, as one matrix over row-major entries."""
    left, right = factors(matrices)
    return torch.kron(left, right) / left.trace()


def test_a_matrix_and_a_vector_are_solved_as_their_whole_curvature_is():
    parts = sketches(6, (4, 3), (5,))
    matrix = kronecker_matrix([one[0] for one in parts])
    diagonal = sum(one[1].square() for one in parts)
    damping = 1e-2 * (matrix.trace() + diagonal.sum())
    gradient = sketches(1, (4, 3), (5,), seed=1)[0]
    found = KroneckerCurvature(parts, damping=1e-2).solve(gradient)
    whole = matrix + damping * torch.eye(12, dtype=torch.double)
    expected = torch.linalg.solve(whole, gradient[0].flatten()).reshape(4, 3)
    torch.testing.assert_close(found[0], expected)
    torch.testing.assert_close(found[1], gradient[1] / (diagonal + damping))


def test_a_convolution_is_a_matrix_of_its_outputs_and_the_rest():
    parts = sketches(6, (4, 3, 2, 2))
    flat = [[one[0].flatten(1)] for one in parts]
    gradient = sketches(1, (4, 3, 2, 2), seed=1)[0]
    found = KroneckerCurvature(parts, damping=1e-3).solve(gradient)[0]
    expected = KroneckerCurvature(flat, damping=1e-3).solve([gradient[0].flatten(1)])[0]
    torch.testing.assert_close(found, expected.reshape(4, 3, 2, 2))


@pytest.mark.parametrize("diagonal_sides", ["left", "right"])
def test_a_long_side_keeps_only_its_diagonal(monkeypatch, diagonal_sides):
    shape = (6, 2) if diagonal_sides == "left" else (2, 6)
    monkeypatch.setattr(kronecker, "_MAX_SIDE", 5)
    parts = sketches(4, shape)
    left, right = factors([one[0] for one in parts])
    if diagonal_sides == "left":
        left = left.diagonal().diag()
    else:
        right = right.diagonal().diag()
    matrix = torch.kron(left, right) / left.trace()
    damped = matrix + 1e-2 * matrix.trace() * torch.eye(12, dtype=torch.double)
    gradient = sketches(1, shape, seed=1)[0]
    found = KroneckerCurvature(parts, damping=1e-2).solve(gradient)[0]
    torch.testing.assert_close(found.flatten(), torch.linalg.solve(damped, gradient[0].flatten()))


def test_random_signs_give_the_factors_of_the_rows_on_average():
    rows = torch.stack([one[0] for one in sketches(8, (3, 2))])  # one Jacobian a row
    generator = torch.Generator().manual_seed(5)
    draws = 4000
    signed = []
    for _ in range(draws):
        signs = 2 * torch.randint(0, 2, (8,), generator=generator).double() - 1
        signed.append(torch.einsum("n,noi->oi", signs, rows) / draws**0.5)
    sample = kronecker_matrix(signed)
    # The more sketches, the less is shrunk; the rows themselves are eight.
    unshrunk = torch.kron(
        torch.einsum("noi,npi->op", rows, rows), torch.einsum("noi,noj->ij", rows, rows)
    ) / (rows.square().sum())
    torch.testing.assert_close(sample, unshrunk, rtol=0.1, atol=0.1)


def test_a_direction_that_no_sketch_showed_is_not_free_to_move_in():
    parts = sketches(1, (1, 50))  # one sample for a side of fifty
    unseen = torch.randn(50, dtype=torch.double)
    seen = parts[0][0][0]
    unseen -= seen * (unseen @ seen) / (seen @ seen)
    found = KroneckerCurvature(parts, damping=1e-9).solve([unseen[None]])[0]
    assert float(found.norm() / unseen.norm()) < 10 / float(seen @ seen)


def test_a_tensor_that_no_row_moves_is_left_alone_where_the_gradient_is_zero():
    parts = [[torch.zeros(3, 2), torch.ones(2)] for _ in range(3)]
    found = KroneckerCurvature(parts, damping=1e-3).solve([torch.zeros(3, 2), torch.ones(2)])
    assert torch.equal(found[0], torch.zeros(3, 2))
    assert bool(found[1].isfinite().all())


def test_a_sketch_that_is_not_finite_is_refused():
    broken = [[torch.tensor([[1.0, float("nan")]])]]
    with pytest.raises(DivergenceError, match="not finite"):
        KroneckerCurvature(broken, damping=1e-3)


def test_opposite_outputs_of_a_binary_model_are_solved_though_their_factor_is_singular():
    generator = torch.Generator().manual_seed(0)
    halves = [torch.randn(1, 96, generator=generator) for _ in range(60)]
    parts = [[100 * torch.cat([half, -half])] for half in halves]
    found = KroneckerCurvature(parts, damping=1e-7).solve(parts[0])[0]
    assert bool(found.isfinite().all())
    assert float((found * parts[0][0]).sum()) > 0


def test_sketches_whose_squares_overflow_are_refused():
    with pytest.raises(DivergenceError, match="not finite"):
        KroneckerCurvature([[torch.full((3, 5), 1e20)]], damping=1e-7)


def test_a_kernel_whose_sides_are_both_long_and_a_tensor_without_entries_are_solved(monkeypatch):
    monkeypatch.setattr(kronecker, "_MAX_SIDE", 1)
    parts = sketches(4, (3, 2, 2), (0, 4))
    flat = [[one[0].flatten(1)] for one in parts]
    gradient = sketches(1, (3, 2, 2), (0, 4), seed=1)[0]
    found = KroneckerCurvature(parts, damping=1e-2).solve(gradient)
    expected = KroneckerCurvature(flat, damping=1e-2).solve([gradient[0].flatten(1)])[0]
    torch.testing.assert_close(found[0], expected.reshape(3, 2, 2))
    assert found[1].shape == (0, 4)
