"""The two factors of the curvature of one tensor, and what is made of them.

Letters and symbols: see `unlearning.curvature.kronecker`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unlearning.errors import DivergenceError
from unlearning.model.row_gradients import Outer

_torch: Any = torch  # it leaves some of its functions without types

_MATRIX = 2
MAX_SIDE = 4096
"""Sides longer than this keep only the diagonal of their factor, as in Shampoo."""

_LEAST_SHARE = 1e-6
"""A tensor is not moved if its c / (c + a) is below this."""

_NOT_FINITE = (
    "The curvature of the model is not finite; check the forget and retain rows for values out of "
    "range, or retrain the model."
)


@dataclass(frozen=True, slots=True)
class KroneckerOperator:
    """left (x) right on one tensor seen as a matrix; on a vector left alone, a diagonal."""

    left: Tensor
    right: Tensor | None = None

    def transpose_times(self, gradient: Tensor) -> Tensor:
        """left^T G right of a gradient of the tensor, or of many [B, ...]."""
        if self.right is None:
            return self.left * gradient
        matrix = gradient.reshape(-1, len(self.left), len(self.right))
        left = self.left.unsqueeze(1) * matrix if self.left.ndim == 1 else self.left.T @ matrix
        return _times(left, self.right).reshape(gradient.shape)

    def transpose_times_rows(self, rows: Tensor | Outer) -> Tensor | Outer:
        """The same for the gradients of rows, however they are kept."""
        if not isinstance(rows, Outer):
            return self.transpose_times(rows)
        assert self.right is not None
        outputs, inputs = _times(rows.outputs, self.left), _times(rows.inputs, self.right)
        return Outer(outputs.contiguous(), inputs.contiguous(), rows.shape)

    def times(self, way: Tensor) -> Tensor:
        """Left D right^T of a direction in the tensor."""
        if self.right is None:
            return self.transpose_times(way)
        transposed = KroneckerOperator(_transposed(self.left), _transposed(self.right))
        return transposed.transpose_times(way)


@dataclass(slots=True)
class Factors:
    """The sums L and R for one tensor, and how many samples of a vector each has seen.

    A side longer than the samples that its factor is the sum over has directions that none of them
    showed, which are not free to move in for that. So its diagonal is raised by its mean times side
    over samples before it is inverted, and by `level` times its mean.
    """

    left: Tensor
    right: Tensor | None
    level: float
    left_samples: int = 0
    right_samples: int = 0

    @classmethod
    def like(cls, value: Tensor, *, level: float = 0.0, max_side: int = MAX_SIDE) -> "Factors":
        """Of nothing yet, for a tensor of this shape; longer sides keep only the diagonal."""
        if value.ndim < _MATRIX or not value.numel():
            return cls(torch.zeros_like(value), None, level)
        matrix = value.flatten(1)
        left, right = (
            matrix.new_zeros((side, side) if side <= max_side else (side,)) for side in matrix.shape
        )
        return cls(left, right, level)

    def add(self, value: Tensor) -> None:
        """A sketch, [O, ...] or [O]: every column of it is a sample of L, every row one of R."""
        if self.right is None:
            self.left.add_(value.square())
            self.left_samples += 1
            return
        matrix = value.flatten(1)
        _add_products(self.left, matrix.T, matrix.T)
        _add_products(self.right, matrix, matrix)
        self.left_samples += matrix.shape[1]
        self.right_samples += matrix.shape[0]

    def add_rows(self, rows: Tensor | Outer, weights: Tensor) -> None:
        """The weighted gradients of rows."""
        if self.right is None:
            assert isinstance(rows, Tensor)
            self.left.add_(_torch.tensordot(weights, rows.square(), 1))
            self.left_samples += len(rows)
            return
        if isinstance(rows, Outer):
            # J J^T = outputs^T (inputs inputs^T) outputs, with products over places [T, T] inside.
            one, two = rows.outputs, rows.inputs
            left, left_other = one, (two @ two.mT) @ one
            right, right_other = two, (one @ one.mT) @ two
            rank = min(one.shape[1], one.shape[2], two.shape[2])
        else:
            right = right_other = rows.flatten(2)  # [B, O, I]
            left = left_other = right.mT
            rank = min(right.shape[1:])
        shares = weights.reshape(-1, 1, 1)
        _add_products(self.left, (shares * left).flatten(0, 1), left_other.flatten(0, 1))
        _add_products(self.right, (shares * right).flatten(0, 1), right_other.flatten(0, 1))
        self.left_samples += rank * len(weights)
        self.right_samples += rank * len(weights)

    @property
    def trace(self) -> float:
        """The trace of C in the tensor.

        Raises:
            DivergenceError: a number is not finite.
        """
        if not all(bool(f.isfinite().all()) for f in (self.left, self.right) if f is not None):
            raise DivergenceError(_NOT_FINITE)
        return float(_diagonal(self.left).double().sum())

    def inverted(self, invert: Callable[[Tensor], Tensor], damping: float) -> KroneckerOperator:
        """The factors inverted, all of them zero if the tensor is not to be moved.

        Raises:
            DivergenceError: a number is not finite, or a factor has no inverse.
        """
        trace = self.trace
        entries = len(self.left) * len(self.right) if self.right is not None else self.left.numel()
        mean = trace / max(entries, 1)
        share = mean / (mean + damping) if mean > 0 else 0.0
        if share < _LEAST_SHARE:
            nothing = torch.zeros_like
            right = None if self.right is None else nothing(self.right)
            return KroneckerOperator(nothing(self.left), right)
        left = self._raised(self.left, self.left_samples, trace)
        if self.right is None:
            return KroneckerOperator(invert(left.div_(share)).to(self.left.dtype))
        # The traces of both factors are that of C, and what raising adds to the left one.
        whole = float(_diagonal(left).sum())
        left = invert(left.div_(share * whole)).to(self.left.dtype)
        right = self._raised(self.right, self.right_samples, trace)
        return KroneckerOperator(left, invert(right).to(self.left.dtype))

    def _raised(self, factor: Tensor, samples: int, trace: float) -> Tensor:
        """A factor, or its diagonal, that can be inverted."""
        # float64: the least eigenvalues are a trace over samples, of which float32 tells little.
        raised = factor.to(torch.double, copy=True)
        diagonal = _diagonal(raised)
        # Outer products that all but cancel can leave a sum of squares below zero.
        diagonal.clamp_(min=0)
        diagonal.add_(trace / samples + self.level * trace / diagonal.numel())
        return raised


def inverted(
    factors: Sequence[Factors], invert: Callable[[Tensor], Tensor], *, damping: float
) -> list[KroneckerOperator]:
    """The factors of all tensors inverted by `inverse` or by `root`.

    Raises:
        DivergenceError: a number is not finite, or a factor has no inverse.
    """
    whole = sum(one.trace for one in factors)
    return [one.inverted(invert, damping * whole) for one in factors]


def inverse(factor: Tensor) -> Tensor:
    """The inverse of a factor, or of its diagonal.

    Raises:
        DivergenceError: there is none.
    """
    return factor.reciprocal() if factor.ndim < _MATRIX else torch.cholesky_inverse(_lower(factor))


def root(factor: Tensor) -> Tensor:
    """S with S S^T the inverse of a factor, or of its diagonal.

    Raises:
        DivergenceError: there is none.
    """
    if factor.ndim < _MATRIX:
        return factor.rsqrt()
    unit = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    return _torch.linalg.solve_triangular(_lower(factor).mT, unit, upper=True)


def _lower(factor: Tensor) -> Tensor:
    lower: Tensor
    lower, failed_at = _torch.linalg.cholesky_ex(factor)
    if bool(failed_at):
        raise DivergenceError(
            "The curvature of the model is rounding alone in one of its layers, whose gradients "
            "all but cancel; choose another method, or retrain the model."
        )
    return lower


def _add_products(total: Tensor, one: Tensor, two: Tensor) -> None:
    """Add one^T two, or its diagonal."""
    total.add_(one.T @ two if total.ndim == _MATRIX else (one * two).sum(0))


def _diagonal(factor: Tensor) -> Tensor:
    """The diagonal of a factor, which may be that alone."""
    return factor.diagonal() if factor.ndim == _MATRIX else factor


def _transposed(side: Tensor) -> Tensor:
    return side.T if side.ndim == _MATRIX else side


def _times(rows: Tensor, side: Tensor) -> Tensor:
    return rows * side if side.ndim == 1 else rows @ side
