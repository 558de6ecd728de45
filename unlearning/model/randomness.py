"""Random numbers of a block's own."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

_random: Any = torch.random  # torch leaves its functions without types


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Generator[None]:
    """A block whose random numbers come from the seed and do not disturb the caller's.

    Those of the CPU, and of the device if it is a GPU: starting weights, dropout.
    """
    place = torch.device(device)
    with _random.fork_rng(devices=[place] if place.type == "cuda" else []):
        _random.manual_seed(seed)
        yield
