"""Small models for demonstrations, tests and tabular data.

Letters: B rows, D input features, C classes.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from unlearning.model.randomness import seeded


def mlp(inputs: int, hidden: Sequence[int], classes: int, seed: int) -> nn.Module:
    """A multi-layer perceptron [B, D] → [B, C] with ReLU between its linear layers.

    The same arguments give the same weights; torch's global random numbers are left alone.

    Args:
        inputs: D.
        hidden: Width of each hidden layer; none gives a linear model.
        classes: C.
        seed: Seed of the starting weights.

    Raises:
        ValueError: a width is below 1.
    """
    widths = [inputs, *hidden, classes]
    if min(widths) < 1:
        raise ValueError(f"The layer widths are {widths}; give at least 1 for each.")
    layers: list[nn.Module] = []
    with seeded(seed):
        for fan_in, fan_out in pairwise(widths):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
