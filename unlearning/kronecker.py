"""Kronecker-factored curvature of a set of rows, sketched from the gradients of small batches.

Letters: S sketches, each with one tensor for each trainable tensor, seen as a matrix [O, I] or, if
it is a vector, as [O]. Symbols: w the weight of a row, J its Jacobian in one tensor, e a random
sign, G a sketch, a the damping.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (torch 2.13 leaves some of its functions without types)

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

from unlearning.errors import DivergenceError
from unlearning.gradients import is_finite

_MATRIX = 2
_MAX_SIDE = 4096
"""Sides longer than this keep only the diagonal of their factor, as in Shampoo."""


class KroneckerCurvature:
    """The curvature C = sum_i w_i J_i J_i^T of weighted rows, tensor by tensor, and its inverse.

    Formula (our choice, with the factors of Shampoo, Gupta et al. 2018, and the sketch of
    Hutchinson 1989): a sketch is G = sum_i e_i sqrt(w_i) J_i over a small batch, which one backward
    pass gives for any layer. E[G G^T] and E[G^T G] over the signs are the two factors L [O, O] and
    R [I, I] of the rows' curvature, so that C is close to L (x) R / tr L. Vectors keep the diagonal
    of C. L and R are shrunk towards the identity as far as the sketches leave them open (see
    `_eigen`). `solve` divides by C + a I, a = `damping` times the trace of the so shrunk
    C over all tensors, in the eigenbases of L and R.

    Cost: S backward passes over a small batch; once the eigenvectors of L and R, cubic in O and I
    (some seconds for a side of 2,000); memory of L, R, their eigenvectors and a value for each
    weight.

    Raises:
        DivergenceError: a sketch is not finite.
    """

    def __init__(self, sketches: Iterable[Sequence[Tensor]], *, damping: float) -> None:
        sums: list[_Sums] = []
        for sketch in sketches:
            if not is_finite({str(number): part for number, part in enumerate(sketch)}):
                raise DivergenceError(
                    "A gradient of the model is not finite before any step is taken; "
                    "check the forget and retain rows for values out of range."
                )
            sums = sums or [_Sums.like(part) for part in sketch]
            for held, part in zip(sums, sketch, strict=True):
                held.add(part)
        self._parts = [held.decomposed() for held in sums]
        whole = sum(float(part.values.sum()) for part in self._parts)
        if not isfinite(whole):
            raise DivergenceError(
                "The curvature of the model is not finite; check the forget and retain rows for "
                "values out of range, or retrain the model."
            )
        self._damping = max(damping * whole, torch.finfo(torch.float32).tiny)

    def solve(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """(C + a I)^-1 times a gradient, tensor by tensor."""
        return [
            part.solve(value, self._damping)
            for part, value in zip(self._parts, gradient, strict=True)
        ]


@dataclass(slots=True)
class _Sums:
    """The sums of G G^T and G^T G for one tensor; of G squared for a vector."""

    left: Tensor
    right: Tensor | None
    count: int = 0

    @classmethod
    def like(cls, value: Tensor) -> "_Sums":
        if value.ndim < _MATRIX or not value.numel():
            return cls(torch.zeros_like(value), None)
        matrix = value.flatten(1)
        left, right = (matrix.new_zeros(_factor_shape(side)) for side in matrix.shape)
        return cls(left, right)

    def add(self, value: Tensor) -> None:
        self.count += 1
        if self.right is None:
            self.left.add_(value.square())
            return
        matrix = value.flatten(1)
        for held, one in ((self.left, matrix), (self.right, matrix.T)):
            held.add_(one @ one.T if held.ndim == _MATRIX else one.square().sum(1))

    def decomposed(self) -> "_Part":
        if self.right is None:
            return _Part(self.left)
        outputs, inputs = len(self.left), len(self.right)
        left, left_basis = _eigen(self.left, samples=self.count * inputs)
        right, right_basis = _eigen(self.right, samples=self.count * outputs)
        trace = left.sum().clamp(min=torch.finfo(left.dtype).tiny)
        return _Part(torch.outer(left, right / trace), left_basis, right_basis)


@dataclass(frozen=True, slots=True)
class _Part:
    """The curvature of one tensor: its values in the bases, None for the standard basis."""

    values: Tensor
    left: Tensor | None = None
    right: Tensor | None = None

    def solve(self, gradient: Tensor, damping: float) -> Tensor:
        turned = gradient.reshape(self.values.shape)
        turned = turned if self.left is None else self.left.T @ turned
        turned = turned if self.right is None else turned @ self.right
        turned = turned / (self.values + damping)
        turned = turned if self.left is None else self.left @ turned
        turned = turned if self.right is None else turned @ self.right.T
        return turned.reshape(gradient.shape)


def _factor_shape(side: int) -> tuple[int, ...]:
    return (side, side) if side <= _MAX_SIDE else (side,)


def _eigen(factor: Tensor, *, samples: int) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues and eigenvectors of a factor that is the sum over so many samples.

    A side longer than its samples has directions that none of them showed, which are not free to
    move in for that. So the values are raised by their mean times side over samples: the factor is
    shrunk towards the identity, the more the less was seen of it.
    """
    if factor.ndim < _MATRIX:
        return factor + len(factor) / samples * factor.mean(), None
    if not bool(factor.isfinite().all()):
        raise DivergenceError(
            "The curvature of the model is not finite; check the forget and retain rows for values "
            "out of range, or retrain the model."
        )
    # float64: the decomposition of an all but singular factor can fail in float32, without a word.
    values, vectors = torch.linalg.eigh(factor.double())
    raised = values.clamp(min=0) + len(factor) / samples * values.mean()
    return raised.to(factor.dtype), vectors.to(factor.dtype)
