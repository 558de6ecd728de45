"""Kronecker-factored curvature of a set of rows, from sketches of it or from each row's gradient.

Formula (our choice, with the factors of Shampoo, Gupta et al. 2018), tensor by tensor: the
curvature C = sum_i w_i J_i J_i^T of weighted rows is close to L (x) R / tr L with L = sum_i w_i J_i
J_i^T [O, O] and R = sum_i w_i J_i^T J_i [I, I]. Vectors keep the diagonal of C. All are shrunk
towards the identity as far as their rows leave them open (see
`unlearning.curvature.kronecker_factors`). With c the mean of the diagonal of C in a tensor and a =
`damping` times the trace of C over all tensors, the inverse is taken times c / (c + a). A tensor
that hardly matters to any row, such as a branch scaled down by s, has a curvature of s^2 and would
be moved 1/s times as far as others; so it is at most about 1/sqrt(a) times, and less and less for
smaller s. One that does not matter at all is not moved.

Letters: each tensor is seen as a matrix [O, I] or, if it is a vector, as [O]; B rows. Symbols: w
the weight of a row, J its Jacobian in one tensor, e a random sign, G a sketch, a the damping, S a
root of the inverse: C^-1 = S S^T.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from torch import Tensor

from unlearning.curvature.kronecker_factors import (
    MAX_SIDE,
    Factors,
    KroneckerOperator,
    inverse,
    inverted,
    root,
)
from unlearning.errors import DivergenceError
from unlearning.model.gradients import is_finite
from unlearning.model.row_gradients import Outer, RowGradients


class SketchedCurvature:
    """C^-1 from sketches.

    Cost: the inverses, cubic in O and I; memory for them.
    """

    def __init__(self, operators: Sequence[KroneckerOperator]) -> None:
        self._operators = operators

    @classmethod
    def from_sketches(
        cls, sketches: Iterable[Sequence[Tensor]], *, damping: float, max_side: int = MAX_SIDE
    ) -> Self:
        """From sketches G = sum_i e_i sqrt(w_i) J_i over small batches (Hutchinson 1989).

        One backward pass gives one for any layer, and E[G G^T] = L, E[G^T G] = R over the signs.

        Raises:
            DivergenceError: a sketch or a sum of them is not finite.
        """
        factors: list[Factors] = []
        for sketch in sketches:
            check_finite(sketch)
            factors = factors or [Factors.like(part, max_side=max_side) for part in sketch]
            for known, part in zip(factors, sketch, strict=True):
                known.add(part)
        return cls(inverted(factors, inverse, damping=damping))

    def solve(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """C^-1 times a gradient, tensor by tensor."""
        pairs = zip(self._operators, gradient, strict=True)
        return [one.transpose_times(part) for one, part in pairs]  # an inverse is symmetric


class SplitPreconditioner:
    """S, with C^-1 = S S^T, from the gradients of rows: S^T J have the inner products J C^-1 J^T.

    The diagonals of both factors are raised by their mean besides: L (x) R tells the directions of
    C better than how flat each of them is, and a step that is solved exactly would go far in all
    that it calls flat (measured: more steps, no closer to retraining).

    Cost: the roots, cubic in O and I; memory for them.
    """

    def __init__(self, operators: Sequence[KroneckerOperator]) -> None:
        self._operators = operators

    @classmethod
    def from_rows(
        cls, rows: RowGradients, weights: Tensor, *, damping: float, max_side: int = MAX_SIDE
    ) -> Self:
        """From the gradients J of weighted rows [B].

        Raises:
            DivergenceError: a gradient or a sum of them is not finite, or rounding is all there is
                to a sum.
        """
        check_finite(rows.tensors())
        factors: list[Factors] = []
        for part in rows.parts:
            like = part.inputs.new_empty(part.shape) if isinstance(part, Outer) else part[0]
            factors.append(Factors.like(like, level=1.0, max_side=max_side))
            factors[-1].add_rows(part, weights)
        return cls(inverted(factors, root, damping=damping))

    def preconditioned(self, rows: RowGradients) -> RowGradients:
        """S^T times each row's gradient."""
        pairs = zip(self._operators, rows.parts, strict=True)
        return RowGradients([one.transpose_times_rows(part) for one, part in pairs])

    def direction(self, way: Sequence[Tensor]) -> list[Tensor]:
        """S times a combination of preconditioned gradients: C^-1 times that of the gradients."""
        return [one.times(part) for one, part in zip(self._operators, way, strict=True)]


def check_finite(tensors: Iterable[Tensor]) -> None:
    """Refuse gradients with a number that is not finite.

    Raises:
        DivergenceError: one is not.
    """
    if not is_finite({str(number): part for number, part in enumerate(tensors)}):
        raise DivergenceError(
            "A gradient of the model is not finite before any step is taken; "
            "check the forget and retain rows for values out of range."
        )
