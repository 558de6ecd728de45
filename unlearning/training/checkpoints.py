"""The state of a training between two epochs, from which it goes on with the same bits."""

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from unlearning.errors import ModelError

_EPOCH, _SHUFFLER, _RANDOM, _GPU_RANDOM = "epoch", "shuffler", "random", "gpu-random"


class Checkpoints(Protocol):
    """Where the state of one training is kept."""

    def load(self) -> dict[str, Tensor] | None:
        """The state that was saved last; None if there is none."""
        ...

    def is_due(self) -> bool:
        """Whether so much was done since the last save that the next is worth its cost."""
        ...

    def save(self, state: dict[str, Tensor]) -> None:
        """Keep this state in place of the one before."""
        ...


def snapshot(
    epoch: int, model: nn.Module, optimiser: torch.optim.Optimizer, shuffler: torch.Generator
) -> dict[str, Tensor]:
    """Everything that the next epoch depends on, as tensors on the CPU.

    These are weights, Adam's moments and random numbers; about three times the size of the model.
    """
    state = {
        _EPOCH: torch.tensor(epoch),
        _SHUFFLER: shuffler.get_state(),
        _RANDOM: torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        state[_GPU_RANDOM] = torch.cuda.get_rng_state()
    state |= {f"model/{name}": value for name, value in model.state_dict().items()}
    moments: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    for number, one in moments.items():
        state |= {f"optimiser/{number}/{name}": value for name, value in one.items()}
    # Clones: two names may share memory, and training goes on.
    return {name: value.detach().cpu().clone().contiguous() for name, value in state.items()}


def resumed(
    checkpoints: Checkpoints | None,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    shuffler: torch.Generator,
) -> int:
    """The number of epochs that are done already, everything put back as it was after them.

    Raises:
        ModelError: the state belongs to another model.
    """
    state = None if checkpoints is None else checkpoints.load()
    if state is None:
        return 0
    weights, moments = _parts(state)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            "The saved state of this training belongs to a model of another form; delete it, then "
            "train from the start."
        ) from error
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    shuffler.set_state(state[_SHUFFLER])
    torch.random.set_rng_state(state[_RANDOM])
    if _GPU_RANDOM in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state[_GPU_RANDOM])
    return int(state[_EPOCH])


def _parts(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[int, dict[str, Any]]]:
    """The weights, and the optimiser's numbers by parameter."""
    weights = {n.removeprefix("model/"): v for n, v in state.items() if n.startswith("model/")}
    moments: dict[int, dict[str, Any]] = {}
    for name, value in state.items():
        if name.startswith("optimiser/"):
            _, number, own = name.split("/", 2)
            moments.setdefault(int(number), {})[own] = value
    return weights, moments
