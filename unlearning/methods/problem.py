"""What every unlearning method is given: a model, rows to forget, and what may be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError
from unlearning.methods.gradient_ledger import Ledger
from unlearning.model.rows import Rows
from unlearning.training.checkpoints import Checkpoints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnlearningProblem:
    """A model, the rows it shall forget, and what may be read to do so."""

    model: nn.Module
    """The original model; no method changes it."""
    forget: Rows
    """All rows to forget; where several ranks share a pass, this rank's part, here and below."""
    retain: Rows
    """With a ledger a sample of the retain set; without one the whole retain set."""
    holdout: Rows
    """Rows that the model was never trained on, or a sample of them."""
    ledger: Ledger | None = None
    """The gradient ledger of this very model (see `check_ledger`); None reads `retain` instead."""
    checkpoints: Checkpoints | None = None
    """Where a method that trains for long keeps its state; None keeps none."""
    device: str = "cpu"
    """Where forward and backward passes run."""


Method = Callable[[UnlearningProblem, UnlearningConfig], dict[str, Tensor]]


def model_state(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and persistent buffer, by name; raises as `model_tensors`."""
    return copied_state(model_tensors(model))


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and persistent buffer itself, by name: to be read only.

    Raises:
        UnsupportedModelError: a state entry is not a tensor.
    """
    state: dict[str, object] = dict(model.state_dict())
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    if len(tensors) < len(state):
        raise UnsupportedModelError(
            "The model keeps state that is not a tensor; move it into buffers or attributes."
        )
    return tensors


def copied_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same state in memory of its own, cut loose from autograd."""
    return {name: value.detach().clone() for name, value in state.items()}
