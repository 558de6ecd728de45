"""Curvature of the mean loss: its empirical Fisher diagonal and Gauss-Newton products.

Letters: N rows, B rows in a chunk, C classes. Symbols: J the Jacobian of the class scores z in the
parameters, p = softmax(z).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from unlearning.model.forward import (
    fixed_mode,
    is_exported,
    logits,
    trainable_names,
    twice_differentiable,
    two_class_scores,
)
from unlearning.model.row_gradients import row_by_row
from unlearning.model.rows import Rows, TensorRows, read_chunks
from unlearning.model.state import forward_state

Vector = dict[str, Tensor]
_ROWS_AT_ONCE = 64


def fisher_diagonal(model: nn.Module, rows: Rows, *, device: str = "cpu") -> Vector:
    """The mean squared gradient of the rows' losses, float64, by parameter name.

    Formula: F_k = (1/N) sum_i (d l_i / d theta_k)^2, the empirical Fisher diagonal, in evaluation
    mode. Cost: one pass over the rows; memory for 64 gradients.

    Raises:
        UnsupportedModelError: a layer cannot give the gradient of a single row.
    """
    state = forward_state(model, device, wide=True)
    names = trainable_names(model)
    fixed = {name: value for name, value in state.items() if name not in names}
    copies = 2 if is_exported(model) else 1  # an exported model takes no batch of one

    def loss(free: Vector, one: Tensor, label: Tensor) -> Tensor:
        inputs, labels = one.expand(copies, *one.shape), label.expand(copies)
        return cross_entropy(_scores(model, {**fixed, **free}, inputs), labels)

    free = {name: state[name] for name in names}
    totals = {name: torch.zeros_like(value, dtype=torch.double) for name, value in free.items()}
    with fixed_mode(model):
        for inputs, labels in read_chunks(rows, _ROWS_AT_ONCE, device):
            with torch.no_grad():
                logits(model, state, inputs, labels)  # refuses what does not fit
            with row_by_row(model):
                parts = vmap(grad(loss), in_dims=(None, 0, 0))(free, inputs, labels)
            for name, total in totals.items():
                total.add_(parts[name].double().square().sum(0))
    return {name: total / rows.count for name, total in totals.items()}


def gauss_newton(
    model: nn.Module, rows: TensorRows, *, chunk_size: int, device: str = "cpu"
) -> Callable[[Vector], Vector]:
    """The product v -> G v with the generalised Gauss-Newton matrix of the mean loss.

    Formula: G = (1/N) sum_i J_i^T (diag(p_i) - p_i p_i^T) J_i, in evaluation mode. Cost of a
    product: three backward passes over the rows; memory for one chunk. The product raises
    UnsupportedModelError if a layer has no second derivative.
    """
    state = forward_state(model, device, wide=True)
    leaves = {name: state[name].clone().requires_grad_() for name in trainable_names(model)}
    slots = list(leaves.values())

    def product(vector: Vector) -> Vector:
        total = {name: torch.zeros_like(value) for name, value in leaves.items()}
        ways = [vector[name] for name in leaves]
        with fixed_mode(model), torch.enable_grad(), twice_differentiable():
            for inputs, labels in read_chunks(rows, chunk_size, device):
                z = logits(model, {**state, **leaves}, inputs, labels)
                # J v as the derivative of J^T u in u: the graph of a backward pass is linear in u
                u = torch.zeros_like(z, requires_grad=True)
                pulled = torch.autograd.grad(z, slots, u, create_graph=True, materialize_grads=True)
                (change,) = torch.autograd.grad(pulled, u, ways, retain_graph=True)
                p = z.detach().softmax(1)
                bent = p * (change - (p * change).sum(1, keepdim=True))  # [B, C]
                back = torch.autograd.grad(z, slots, bent, materialize_grads=True)
                for one, part in zip(total.values(), back, strict=True):
                    one.add_(part / rows.count)
        return total

    return product


def conjugate_gradients(
    product: Callable[[Vector], Vector], right: Vector, *, iterations: int, damping: float
) -> Vector:
    """An x with (A + damping I) x close to `right`, A symmetric and not negative (Hestenes 1952).

    Starts at 0 and ends early when the residual is at rounding level. Cost: one product with A in
    each iteration.
    """
    x = {name: torch.zeros_like(value) for name, value in right.items()}
    residual = {name: value.clone() for name, value in right.items()}
    way = {name: value.clone() for name, value in right.items()}
    size = first = dot(residual, residual)
    for _ in range(iterations):
        if size <= 1e-14 * first or size == 0.0:
            break
        bent = product(way)
        bent = {name: value + damping * way[name] for name, value in bent.items()}
        step = size / dot(way, bent)
        for name, value in x.items():
            value.add_(way[name], alpha=step)
            residual[name].sub_(bent[name], alpha=step)
        before, size = size, dot(residual, residual)
        way = {name: value + (size / before) * way[name] for name, value in residual.items()}
    return x


def dot(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """The inner product of two vectors kept by parameter name."""
    return sum(float((value.double() * other[name].double()).sum()) for name, value in one.items())


def _scores(model: nn.Module, state: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    return two_class_scores(functional_call(model, dict(state), (inputs,)))
