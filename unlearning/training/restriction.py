"""The paper's gradient restriction: a training loss that keeps gradients small, in two forms.

Symbols: l the mean loss of a mini-batch, ∇l its gradient in all trainable parameters, ∇_t l the
part for parameter tensor t, alpha the weight of the restriction, H the Hessian of l, u a direction,
r a radius. Letters: B rows in a batch.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from unlearning.config.training_config import Restriction, TrainingConfig
from unlearning.model.forward import twice_differentiable, two_class_scores


def restricted_loss(
    model: nn.Module, inputs: Tensor, labels: Tensor, *, alpha: float, restriction: Restriction
) -> Tensor:
    """The gradient-restriction loss of one mini-batch, a scalar that can be differentiated.

    Formula, by `restriction`:
        "global"      l + alpha ‖∇l‖            IAU paper
        "per_tensor"  l + alpha sum_t ‖∇_t l‖   the published script; larger for equal alpha
        "none"        l                         plain training
    with Euclidean norms. The gradient is that of the batch mean (our choice; the formula does not
    say). Its own derivative is exact (double backward), and 0 where a norm is 0.

    Cost: about three times a plain backward pass. Shapes: inputs [B, ...], labels int64 [B].
    """
    if restriction == "none" or alpha == 0.0:
        return cross_entropy(two_class_scores(model(inputs)), labels)
    parameters = [value for value in model.parameters() if value.requires_grad]
    with twice_differentiable():
        loss = cross_entropy(two_class_scores(model(inputs)), labels)
        parts = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    norms = torch.stack([_length(part) for part in parts])  # one per tensor
    penalty = _length(norms) if restriction == "global" else norms.sum()
    return loss + alpha * penalty


def restricted_backward(
    model: nn.Module, inputs: Tensor, labels: Tensor, config: TrainingConfig
) -> float:
    """The restricted loss of a mini-batch; leaves its gradient in the parameters' `grad`.

    With `config.derivative` "exact" the penalty is differentiated by double backward. With
    "finite_difference" (our choice, and the default) its derivative H u, u = ∇l / ‖∇l‖ for the
    global norm and u_t = ∇_t l / ‖∇_t l‖ per tensor, is read off a second plain gradient:
    H u = (∇l(θ + r u) - ∇l(θ)) / r + O(r). For r = alpha the sum ∇l + alpha H u is just
    ∇l(θ + alpha u), the gradient that sharpness-aware minimisation (Foret et al. 2021) descends.
    Both passes see the same dropout masks, and buffers such as batch statistics are those of the
    first pass.

    Cost against plain training: finite difference about 2, exact 2 to 5 (benchmarks/RESULTS.md).
    """
    if config.derivative == "exact" or config.restriction == "none" or config.alpha == 0.0:
        loss = restricted_loss(
            model, inputs, labels, alpha=config.alpha, restriction=config.restriction
        )
        is_plain = config.restriction == "none" or config.alpha == 0.0
        with nullcontext() if is_plain else twice_differentiable():
            torch.autograd.backward(loss)
        return float(loss.detach())
    trainable = {name: v for name, v in model.named_parameters() if v.requires_grad}
    with _repeatable_masks(inputs.device) as rewind:
        loss = cross_entropy(two_class_scores(model(inputs)), labels)
        here = torch.autograd.grad(loss, list(trainable.values()), materialize_grads=True)
        rewind()
        norm, directions = _ascent(here, config.restriction)
        # A clone has the strides of the parameter, a sum may not, and then convolutions slow down.
        moved = {
            name: value.detach().clone().add_(way, alpha=config.radius).requires_grad_()
            for (name, value), way in zip(trainable.items(), directions, strict=True)
        }
        there = _gradient_at(model, moved, inputs, labels)
    weight = config.alpha / config.radius
    for parameter, near, far in zip(trainable.values(), here, there, strict=True):
        parameter.grad = near.lerp(far, weight)  # near + (alpha / r) (far - near)
    return float(loss.detach() + config.alpha * norm)


_TINY = 1e-30  # a tensor with no gradient has no direction; 0 / tiny is 0, as in the exact form


def _ascent(parts: Sequence[Tensor], restriction: Restriction) -> tuple[Tensor, list[Tensor]]:
    """The norm that is restricted, and the direction u in which its gradient is H u."""
    norms = [_length(part) for part in parts]
    whole = _length(torch.stack(norms))
    if restriction == "global":
        return whole, [part / whole.clamp(min=_TINY) for part in parts]
    ways = [part / norm.clamp(min=_TINY) for part, norm in zip(parts, norms, strict=True)]
    return torch.stack(norms).sum(), ways


def _length(values: Tensor) -> Tensor:
    return cast("Any", torch.linalg).vector_norm(values)  # torch leaves it without a type


def _gradient_at(
    model: nn.Module, moved: Mapping[str, Tensor], inputs: Tensor, labels: Tensor
) -> tuple[Tensor, ...]:
    """The plain gradient at other parameters; the model and its buffers are not written to."""
    spare = {name: value.clone() for name, value in model.named_buffers()}
    scores = cast("Tensor", functional_call(model, {**moved, **spare}, (inputs,)))
    loss = cross_entropy(two_class_scores(scores), labels)
    return torch.autograd.grad(loss, list(moved.values()), materialize_grads=True)


@contextmanager
def _repeatable_masks(device: torch.device) -> Generator[Callable[[], None]]:
    """A block in which calling `rewind` makes random numbers repeat from its start."""
    if device.type == "cuda":
        start = torch.cuda.get_rng_state(device)
        yield lambda: torch.cuda.set_rng_state(start, device)
    else:
        start = torch.random.get_rng_state()
        yield lambda: torch.random.set_rng_state(start)
