import pytest
import torch

from unlearning.curvature.kronecker import SketchedCurvature, SplitPreconditioner
from unlearning.errors import DivergenceError
from unlearning.model.row_gradients import Outer, RowGradients


def sketches(count, *shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        [torch.randn(shape, generator=generator, dtype=torch.double) for shape in shapes]
        for _ in range(count)
    ]


def shrunk(factor, samples, level=0):
    """The factor and its mean eigenvalue times side over samples, and `level`, on the diagonal."""
    mean = factor.trace() * (1 / samples + level / len(factor))
    return factor + mean * torch.eye(len(factor), dtype=factor.dtype)


def factors(matrices):
    left = sum(m @ m.T for m in matrices)
    right = sum(m.T @ m for m in matrices)
    outputs, inputs = matrices[0].shape
    return shrunk(left, len(matrices) * inputs), shrunk(right, len(matrices) * outputs)


def kronecker_matrix(matrices):
    """L (x) R / tr L of a list of [O, I] sketches, as one matrix over row-major entries."""
    left, right = factors(matrices)
    return torch.kron(left, right) / left.trace()


def shares_of(parts, damping):
    """c / (c + a) of each tensor, c the mean of the diagonal of C, a `damping` times its sum."""
    sums = [sum(one[i].square().sum() for one in parts) for i in range(len(parts[0]))]
    means = [total / part.numel() for total, part in zip(sums, parts[0], strict=True)]
    return [mean / (mean + damping * sum(sums)) for mean in means]


def test_a_matrix_and_a_vector_are_solved_as_their_whole_curvature_is():
    parts = sketches(6, (4, 3), (5,))
    matrix = kronecker_matrix([one[0] for one in parts])
    diagonal = torch.stack([one[1].square() for one in parts]).sum(0).diag()
    gradient = sketches(1, (4, 3), (5,), seed=1)[0]
    found = SketchedCurvature.from_sketches(parts, damping=1e-2).solve(gradient)
    shares = shares_of(parts, 1e-2)
    expected = shares[0] * torch.linalg.solve(matrix, gradient[0].flatten()).reshape(4, 3)
    torch.testing.assert_close(found[0], expected)
    vector = shares[1] * torch.linalg.solve(shrunk(diagonal, samples=6), gradient[1])
    torch.testing.assert_close(found[1], vector)


@pytest.mark.parametrize(("scale", "most"), [(1e-2, 150), (1e-3, 50), (1e-6, 1), (1e-20, 0)])
def test_a_tensor_that_hardly_matters_is_not_moved_farther_for_that(scale, most):
    """C^-1 alone would move it by one over the scale: 10^20 in the end."""
    parts = [[one[0].float(), (scale * one[1]).float()] for one in sketches(6, (4, 3), (4, 3))]
    curvature = SketchedCurvature.from_sketches(parts, damping=1e-5)
    large, small = curvature.solve(parts[0])
    assert bool(small.isfinite().all())
    assert float(small.norm()) <= most * float(large.norm())
    assert float(large.norm()) > 0


def test_a_convolution_is_a_matrix_of_its_outputs_and_the_rest():
    parts = sketches(6, (4, 3, 2, 2))
    flat = [[one[0].flatten(1)] for one in parts]
    gradient = sketches(1, (4, 3, 2, 2), seed=1)[0]
    found = SketchedCurvature.from_sketches(parts, damping=1e-3).solve(gradient)[0]
    expected = SketchedCurvature.from_sketches(flat, damping=1e-3).solve([gradient[0].flatten(1)])[
        0
    ]
    torch.testing.assert_close(found, expected.reshape(4, 3, 2, 2))


@pytest.mark.parametrize("diagonal_sides", ["left", "right"])
def test_a_long_side_keeps_only_its_diagonal(diagonal_sides):
    shape = (6, 2) if diagonal_sides == "left" else (2, 6)
    parts = sketches(4, shape)
    left, right = factors([one[0] for one in parts])
    if diagonal_sides == "left":
        left = left.diagonal().diag()
    else:
        right = right.diagonal().diag()
    matrix = torch.kron(left, right) / left.trace()
    gradient = sketches(1, shape, seed=1)[0]
    found = SketchedCurvature.from_sketches(parts, damping=1e-2, max_side=5).solve(gradient)[0]
    expected = shares_of(parts, 1e-2)[0] * torch.linalg.solve(matrix, gradient[0].flatten())
    torch.testing.assert_close(found.flatten(), expected)


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
    found = SketchedCurvature.from_sketches(parts, damping=1e-9).solve([unseen[None]])[0]
    assert float(found.norm() / unseen.norm()) < 10 / float(seen @ seen)


def test_a_tensor_in_which_no_row_has_a_gradient_is_not_moved():
    parts = [[torch.zeros(3, 2), torch.ones(2), torch.zeros(4)] for _ in range(3)]
    curvature = SketchedCurvature.from_sketches(parts, damping=1e-3)
    found = curvature.solve([torch.ones(3, 2), torch.ones(2), torch.ones(4)])
    assert torch.equal(found[0], torch.zeros(3, 2))
    assert bool((found[1] > 0).all())
    assert torch.equal(found[2], torch.zeros(4))


def test_a_sketch_that_is_not_finite_is_refused():
    broken = [[torch.tensor([[1.0, float("nan")]])]]
    with pytest.raises(DivergenceError, match="not finite"):
        SketchedCurvature.from_sketches(broken, damping=1e-3)


def test_opposite_outputs_of_a_binary_model_are_solved_though_their_factor_is_singular():
    generator = torch.Generator().manual_seed(0)
    halves = [torch.randn(1, 96, generator=generator) for _ in range(60)]
    parts = [[100 * torch.cat([half, -half])] for half in halves]
    found = SketchedCurvature.from_sketches(parts, damping=1e-7).solve(parts[0])[0]
    assert bool(found.isfinite().all())
    assert float((found * parts[0][0]).sum()) > 0


def test_sketches_whose_squares_overflow_are_refused():
    with pytest.raises(DivergenceError, match="not finite"):
        SketchedCurvature.from_sketches([[torch.full((3, 5), 1e20)]], damping=1e-7)


def test_a_kernel_whose_sides_are_both_long_and_a_tensor_without_entries_are_solved():
    parts = sketches(4, (3, 2, 2), (0, 4), (3, 0, 4))
    flat = [[one[0].flatten(1)] for one in parts]
    gradient = sketches(1, (3, 2, 2), (0, 4), (3, 0, 4), seed=1)[0]
    found = SketchedCurvature.from_sketches(parts, damping=1e-2, max_side=1).solve(gradient)
    expected = SketchedCurvature.from_sketches(flat, damping=1e-2, max_side=1).solve(
        [gradient[0].flatten(1)]
    )[0]
    torch.testing.assert_close(found[0], expected.reshape(3, 2, 2))
    assert [part.shape for part in found[1:]] == [(0, 4), (3, 0, 4)]


def row_gradients(count, *shapes, seed=0):
    """A gradient for each row and tensor."""
    rows = sketches(count, *shapes, seed=seed)
    return RowGradients([torch.stack(part) for part in zip(*rows, strict=True)])


def solved(preconditioner, gradient):
    """C^-1 times a gradient by a root of it."""
    white = preconditioner.preconditioned(RowGradients([part[None] for part in gradient]))
    return preconditioner.direction([part[0] for part in white.parts])


def test_rows_give_the_curvature_that_a_sketch_of_each_alone_gives():
    rows = row_gradients(7, (4, 3), (5,), (3, 2, 2))
    weights = torch.rand(7, dtype=torch.double)
    alone = [[w.sqrt() * part[i] for part in rows.tensors()] for i, w in enumerate(weights)]
    gradient = sketches(1, (4, 3), (5,), (3, 2, 2), seed=1)[0]
    # What is added to the diagonals differs: one sample has rank 3 in both factors of a 4 x 3
    # matrix here, and their mean is added once more.
    found = solved(SplitPreconditioner.from_rows(rows, weights, damping=1e-2), gradient)
    shares = shares_of(alone, 1e-2)
    by_hand = [
        shrunk(sum(m @ m.T for m in part), 21, level=1)
        for part in ([one[0] for one in alone], [one[0].T for one in alone])
    ]
    matrix = torch.kron(*by_hand) / by_hand[0].trace()
    expected = shares[0] * torch.linalg.solve(matrix, gradient[0].flatten()).reshape(4, 3)
    torch.testing.assert_close(found[0], expected)
    diagonal = torch.stack([one[1].square() for one in alone]).sum(0).diag()
    vector = shares[1] * torch.linalg.solve(shrunk(diagonal, 7, level=1), gradient[1])
    torch.testing.assert_close(found[1], vector)
    assert found[2].shape == (3, 2, 2)


@pytest.mark.parametrize("longest", [4096, 3])
def test_outer_products_give_what_their_sums_give(longest):
    generator = torch.Generator().manual_seed(3)
    outputs, inputs = (
        torch.randn(7, 9, side, generator=generator, dtype=torch.double) for side in (3, 4)
    )  # nine places, so that a gradient is of full rank
    outer = Outer(outputs, inputs, torch.Size((3, 2, 2)))
    dense = torch.einsum("bto,bti->boi", outputs, inputs).reshape(7, 3, 2, 2)
    weights = torch.rand(7, generator=generator, dtype=torch.double)
    both = [RowGradients([part]) for part in (outer, dense)]
    curvatures = [
        SplitPreconditioner.from_rows(one, weights, damping=1e-3, max_side=longest) for one in both
    ]
    white = [one.preconditioned(rows) for one, rows in zip(curvatures, both, strict=True)]
    torch.testing.assert_close(*(rows.gram() for rows in white))
    torch.testing.assert_close(*(rows.combined(weights)[0] for rows in white))


@pytest.mark.parametrize("longest", [4096, 4, 3, 1])
def test_whitened_rows_have_the_inner_products_that_the_inverse_gives(longest):
    rows = row_gradients(7, (4, 3), (5,), (3, 2, 2), (), (0, 4))
    weights = torch.rand(7, dtype=torch.double)
    preconditioner = SplitPreconditioner.from_rows(rows, weights, damping=1e-2, max_side=longest)
    white = preconditioner.preconditioned(rows)
    moved = [solved(preconditioner, [part[i] for part in rows.tensors()]) for i in range(7)]
    products = [
        [sum((p[i] * s).sum() for p, s in zip(rows.tensors(), one, strict=True)) for one in moved]
        for i in range(7)
    ]
    torch.testing.assert_close(white.gram(), torch.tensor(products, dtype=torch.double))
    direction = preconditioner.direction(white.combined(weights))
    for number, part in enumerate(direction):
        expected = sum(w * one[number] for w, one in zip(weights, moved, strict=True))
        torch.testing.assert_close(part, expected)


def cancelling(off, seed):
    """Outer products over two places that leave little but the rounding of their sums."""
    generator = torch.Generator().manual_seed(seed)
    outputs, inputs, noise = (torch.randn(100, 1, 64, generator=generator) for _ in range(3))
    parts = torch.cat([outputs, -outputs], 1), torch.cat([inputs, inputs * (1 + off * noise)], 1)
    others = torch.randn(100, 5, generator=generator)
    return RowGradients([Outer(*parts, torch.Size((64, 64))), others])


def test_a_factor_that_is_rounding_alone_is_refused():
    with pytest.raises(DivergenceError, match="rounding alone"):
        SplitPreconditioner.from_rows(
            cancelling(3e-4, seed=2), torch.full((100,), 0.01), damping=1e-6
        )


def test_a_diagonal_that_is_rounding_alone_stays_finite():
    rows = cancelling(1e-5, seed=1)  # a sum of squares is below zero here, by more than is added
    white = SplitPreconditioner.from_rows(
        rows, torch.full((100,), 0.01), damping=1e-6, max_side=4
    ).preconditioned(rows)
    assert all(bool(part.isfinite().all()) for part in white.tensors())


def test_row_gradients_that_are_not_finite_are_refused():
    rows = row_gradients(3, (4, 3))
    next(rows.tensors())[1, 2, 0] = float("inf")
    with pytest.raises(DivergenceError, match="not finite"):
        SplitPreconditioner.from_rows(rows, torch.ones(3).double(), damping=1e-3)
