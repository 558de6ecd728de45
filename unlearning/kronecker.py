"""Kronecker-factored curvature of a set of rows, from sketches of it or from each row's gradient.

Letters: S sketches, each with one tensor for each trainable tensor, seen as a matrix [O, I] or, if
it is a vector, as [O]; B rows. Symbols: w the weight of a row, J its Jacobian in one tensor, e a
random sign, G a sketch, a the damping, S a root of the inverse.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch 2.13 leaves some of its functions without types)

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearning.errors import DivergenceError
from unlearning.gradients import is_finite
from unlearning.row_gradients import Outer, RowGradients

_MATRIX = 2
_MAX_SIDE = 4096
"""Sides longer than this keep only the diagonal of their factor, as in Shampoo."""

_LEAST_SHARE = 1e-6
"""A tensor is not moved if its c / (c + a) is below this."""


class KroneckerCurvature:
    """The curvature C = sum_i w_i J_i J_i^T of weighted rows, tensor by tensor, and its inverse.

    Formula (our choice, with the factors of Shampoo, Gupta et al. 2018): L = sum_i w_i J_i J_i^T
    [O, O] and R = sum_i w_i J_i^T J_i [I, I], so that C is close to L (x) R / tr L. Vectors keep
    the diagonal of C. All are shrunk towards the identity as far as their rows leave them open (see
    `_Sums`). With c the mean of the diagonal of C in a tensor and a = `damping` times the trace of
    C over all tensors, the inverse is taken times c / (c + a). A tensor that hardly matters to any
    row, such as a branch scaled down by s, has a curvature of s^2 and would be moved 1/s times as
    far as others; so it is at most about 1/sqrt(a) times, and less and less for smaller s. One that
    does not matter at all is not moved. The inverse is kept as S, C^-1 = S S^T.

    Cost: the roots, cubic in O and I; memory for them.
    """

    def __init__(self, parts: Sequence["_Part"]) -> None:
        self._parts = parts

    @classmethod
    def from_sketches(
        cls, sketches: Iterable[Sequence[Tensor]], *, damping: float
    ) -> "KroneckerCurvature":
        """From sketches G = sum_i e_i sqrt(w_i) J_i over small batches (Hutchinson 1989).

        One backward pass gives one for any layer, and E[G G^T] = L, E[G^T G] = R over the signs.

        Raises:
            DivergenceError: a sketch or a sum of them is not finite.
        """
        sums: list[_Sums] = []
        for sketch in sketches:
            check_finite(sketch)
            sums = sums or [_Sums.like(part) for part in sketch]
            for held, part in zip(sums, sketch, strict=True):
                held.add(part.flatten(1) if part.ndim >= _MATRIX else part)
        return cls(_inverted(sums, damping))

    @classmethod
    def from_rows(
        cls, rows: RowGradients, weights: Tensor, *, damping: float
    ) -> "KroneckerCurvature":
        """From the gradients J of weighted rows [B], exactly, with levelled factors.

        The diagonals of both factors are raised by their mean besides: L (x) R tells the directions
        of C better than how flat each of them is, and a step that is solved exactly would go far in
        all that it calls flat (measured: more steps, no closer to retraining).

        Raises:
            DivergenceError: a gradient or a sum of them is not finite.
        """
        check_finite(rows.tensors())
        sums: list[_Sums] = []
        for part in rows.parts:
            like = part.inputs.new_empty(part.shape) if isinstance(part, Outer) else part[0]
            sums.append(_Sums.like(like, level=1.0))
            sums[-1].add_rows(part, weights)
        return cls(_inverted(sums, damping))

    def solve(self, gradient: Sequence[Tensor]) -> list[Tensor]:
        """C^-1 times a gradient, tensor by tensor."""
        pairs = zip(self._parts, gradient, strict=True)
        return [part.unwhitened(part.turned(value)) for part, value in pairs]

    def whitened(self, rows: RowGradients) -> RowGradients:
        """S^T times each row's gradient; their inner products are those that C^-1 gives."""
        return RowGradients(
            [part.whitened(value) for part, value in zip(self._parts, rows.parts, strict=True)]
        )

    def unwhitened(self, way: Sequence[Tensor]) -> list[Tensor]:
        """S times a combination of whitened gradients, tensor by tensor."""
        return [part.unwhitened(value) for part, value in zip(self._parts, way, strict=True)]


def check_finite(tensors: Iterable[Tensor]) -> None:
    """Nothing, if every number of these gradients is finite.

    Raises:
        DivergenceError: one is not.
    """
    if not is_finite({str(number): part for number, part in enumerate(tensors)}):
        raise DivergenceError(
            "A gradient of the model is not finite before any step is taken; "
            "check the forget and retain rows for values out of range."
        )


@dataclass(slots=True)
class _Sums:
    """The sums L and R for one tensor, and how many samples of a vector each has seen."""

    left: Tensor
    right: Tensor | None
    level: float
    """How many times their mean the diagonals are raised by besides."""
    left_samples: int = 0
    right_samples: int = 0

    @classmethod
    def like(cls, value: Tensor, *, level: float = 0.0) -> "_Sums":
        if value.ndim < _MATRIX or not value.numel():
            return cls(torch.zeros_like(value), None, level)
        matrix = value.flatten(1)
        left, right = (matrix.new_zeros(_factor_shape(side)) for side in matrix.shape)
        return cls(left, right, level)

    def add(self, value: Tensor) -> None:
        """A sketch, [O, I] or [O]: every column of it is a sample of L, every row one of R."""
        self.left_samples += 1 if self.right is None else value.shape[1]
        if self.right is None:
            self.left.add_(value.square())
            return
        self.right_samples += value.shape[0]
        _add_products(self.left, value.T, value.T)
        _add_products(self.right, value, value)

    def add_rows(self, rows: "Tensor | Outer", weights: Tensor) -> None:
        """The weighted gradients of rows."""
        if self.right is None:
            assert isinstance(rows, Tensor)
            self.left.add_(torch.tensordot(weights, rows.square(), 1))
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
            raise DivergenceError(
                "The curvature of the model is not finite; check the forget and retain rows for "
                "values out of range, or retrain the model."
            )
        is_matrix = self.left.ndim == _MATRIX
        return float((self.left.diagonal() if is_matrix else self.left).double().sum())

    def inverted(self, damping: float) -> "_Part":
        """The root of the inverse, `damping` being a."""
        trace = self.trace
        entries = len(self.left) * len(self.right) if self.right is not None else self.left.numel()
        mean = trace / max(entries, 1)
        share = mean / (mean + damping) if mean > 0 else 0.0
        if share < _LEAST_SHARE:
            nothing = torch.zeros_like
            return _Part(nothing(self.left), None if self.right is None else nothing(self.right))
        kind = self.left.dtype
        left, whole = self._raised(self.left, self.left_samples, trace)
        if self.right is None:
            return _Part(_root(left / share).to(kind))
        # The traces of both factors are that of C, and what raising adds to the left one.
        right, _ = self._raised(self.right, self.right_samples, trace)
        return _Part(_root(left / (share * whole)).to(kind), _root(right).to(kind))

    def _raised(self, factor: Tensor, samples: int, trace: float) -> tuple[Tensor, float]:
        """A factor or its diagonal, shrunk towards the identity, and its trace.

        A side longer than the samples that its factor is the sum over has directions that none of
        them showed, which are not free to move in for that. So the diagonal is raised by its mean
        times side over samples, and by `level` times its mean.
        """
        side = factor.numel() if factor.ndim < _MATRIX else len(factor)
        times = self.level + side / samples
        # float64: an all but singular factor can lose its positive eigenvalues in float32.
        raised = factor.to(torch.double, copy=True)
        (raised.diagonal() if raised.ndim == _MATRIX else raised).add_(times * trace / side)
        return raised, trace * (1 + times)


def _inverted(sums: Sequence[_Sums], damping: float) -> list["_Part"]:
    whole = sum(held.trace for held in sums)
    return [held.inverted(damping * whole) for held in sums]


def _add_products(held: Tensor, one: Tensor, two: Tensor) -> None:
    """Add one^T two, or its diagonal."""
    held.add_(one.T @ two if held.ndim == _MATRIX else (one * two).sum(0))


@dataclass(frozen=True, slots=True)
class _Part:
    """S for one tensor, by the roots of the inverse factors; of a vector the left one alone."""

    left: Tensor
    right: Tensor | None = None

    def turned(self, gradient: Tensor) -> Tensor:
        """S^T times a gradient of the tensor, or many [B, ...]."""
        if self.right is None:
            return self.left * gradient
        matrix = gradient.reshape(-1, len(self.left), len(self.right))
        turned = self.left.unsqueeze(1) * matrix if self.left.ndim == 1 else self.left.T @ matrix
        return _times(turned, self.right).reshape(gradient.shape)

    def whitened(self, rows: "Tensor | Outer") -> "Tensor | Outer":
        if not isinstance(rows, Outer):
            return self.turned(rows)
        assert self.right is not None
        outputs, inputs = _times(rows.outputs, self.left), _times(rows.inputs, self.right)
        return Outer(outputs, inputs, rows.shape)

    def unwhitened(self, way: Tensor) -> Tensor:
        """S times a direction."""
        if self.right is None:
            return self.left * way
        back = _Part(
            *(part.T if part.ndim == _MATRIX else part for part in (self.left, self.right))
        )
        return back.turned(way)


def _times(rows: Tensor, factor: Tensor) -> Tensor:
    return rows * factor if factor.ndim == 1 else rows @ factor


def _factor_shape(side: int) -> tuple[int, ...]:
    return (side, side) if side <= _MAX_SIDE else (side,)


def _root(factor: Tensor) -> Tensor:
    """S with S S^T the inverse of a factor, or of its diagonal."""
    if factor.ndim < _MATRIX:
        return factor.rsqrt()
    upper = torch.linalg.cholesky(factor).mT
    unit = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    return torch.linalg.solve_triangular(upper, unit, upper=True)
