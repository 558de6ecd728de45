"""Training of a new model, with the paper's gradient restriction."""

from collections.abc import Callable
from math import isfinite

import torch
from torch import Tensor, nn

from unlearning.config.training_config import TrainingConfig
from unlearning.errors import DivergenceError, UnsupportedModelError
from unlearning.model.forward import check_classes, fixed_mode, is_exported, logits, trainable_names
from unlearning.model.gradients import is_finite
from unlearning.model.randomness import seeded
from unlearning.model.rows import Rows, gather
from unlearning.model.state import forward_state
from unlearning.training.checkpoints import Checkpoints, resumed, snapshot
from unlearning.training.restriction import restricted_backward


def train(
    model: nn.Module,
    rows: Rows,
    config: TrainingConfig,
    *,
    device: str = "cpu",
    on_epoch: Callable[[int, float], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Nothing: the model itself is trained. The one function here that works in place.

    Adam on mini-batches, shuffled anew in each epoch. The same seed gives the same bits on the CPU;
    torch's global random numbers are left alone. A last batch of one row joins the batch before,
    since batch norm needs two. The rows are kept in memory. The model ends on the device, in
    evaluation mode.

    Args:
        model: A new model, or one whose owner wants it changed.
        rows: The training rows.
        config: Epochs, batch size, learning rate, restriction and seed.
        device: Where training runs.
        on_epoch: Called after each epoch with its number, from 1, and its mean restricted loss.
        checkpoints: Where a long training keeps its state, to go on there after a crash, with the
            same bits as one that was never stopped.

    Raises:
        DataError: there are no rows, or a label is not a class of the model.
        UnsupportedModelError: the model is exported, so it cannot be put in training mode.
        DivergenceError: a loss or a weight is not finite.
    """
    if is_exported(model):
        raise UnsupportedModelError(
            "An exported model cannot be trained, its mode is baked in; give the module itself."
        )
    whole = gather(rows)
    inputs, labels = whole.inputs.to(device), whole.labels.to(device)
    model.to(device)
    _check_rows(model, inputs, labels, device)
    model.train()
    fit(model, inputs, labels, config, on_epoch=on_epoch, checkpoints=checkpoints)
    model.eval()


def fit(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    config: TrainingConfig,
    *,
    on_epoch: Callable[[int, float], None] | None = None,
    checkpoints: Checkpoints | None = None,
) -> None:
    """Nothing: the model, in whatever mode it is, is trained on these rows; see `train`."""
    trainable = [model.get_parameter(name) for name in trainable_names(model)]
    # One call for all tensors: on small models a tenth to a third of a step is saved.
    optimiser = torch.optim.Adam(trainable, lr=config.learning_rate, fused=True)
    shuffler = torch.Generator().manual_seed(config.seed)
    count = len(labels)
    with seeded(config.seed, inputs.device), torch.enable_grad():
        done = resumed(checkpoints, model, optimiser, shuffler)
        for epoch in range(done + 1, config.epochs + 1):
            total = 0.0
            for batch in batch_indices(count, config.batch_size, shuffler):
                loss = _train_batch(model, optimiser, inputs[batch], labels[batch], config)
                total += loss * len(batch)
            _check_finite(model, total, epoch)
            if on_epoch is not None:
                on_epoch(epoch, total / count)
            if checkpoints is not None and checkpoints.is_due():
                checkpoints.save(snapshot(epoch, model, optimiser, shuffler))


def batch_indices(count: int, size: int, shuffler: torch.Generator) -> list[Tensor]:
    """The numbers 0 to `count` - 1 in random order, split into batches of `size`.

    A last batch of one joins the batch before it, because batch norm needs two rows.
    """
    order = torch.randperm(count, generator=shuffler)
    batches = [order[start : start + size] for start in range(0, count, size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] = torch.cat([batches[-1], last])
    return batches


def _train_batch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    config: TrainingConfig,
) -> float:
    """The restricted loss of the batch before the step that it causes."""
    optimiser.zero_grad()
    loss = restricted_backward(model, inputs, labels, config)
    optimiser.step()
    return loss


def _check_rows(model: nn.Module, inputs: Tensor, labels: Tensor, device: str) -> None:
    with fixed_mode(model), torch.no_grad():
        scores = logits(model, forward_state(model, device), inputs[:2], labels[:2])
    check_classes(labels, scores.shape[1])


def _check_finite(model: nn.Module, loss: float, epoch: int) -> None:
    if not (isfinite(loss) and is_finite(dict(model.named_parameters()))):
        raise DivergenceError(
            f"The loss or a weight is not finite after epoch {epoch}; lower the learning rate."
        )
