"""How rows go into a model and what its answer means, where it is not class scores of a tensor."""

from dataclasses import dataclass
from typing import Literal

from unlearning.errors import SettingsError

NumberKind = Literal["float32", "float64", "float16", "bfloat16", "int64", "bool"]
"""A type of numbers that a model takes, by torch's name."""
LastLayer = Literal["", "softmax", "sigmoid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInput:
    """One tensor that a model takes of each row."""

    kind: NumberKind = "float32"
    """The type of its numbers, while the weights have the type that they were logged in."""
    name: str = ""
    """The argument that takes it; empty for the only one."""
    cells: int = 0
    """How many numbers of a row go into it, after those of the inputs before; 0: all of them."""
    shape: tuple[int, ...] = ()
    """Of a named one: its shape for one row; empty for a single number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInterface:
    """What lies between rows and the model, and between its answer and class scores."""

    tolerance: float = 0.0
    """Of a model that answers with a number: how far it may be off and still count as right, in the
    units of the label; 0 if it answers with class scores."""
    shape: tuple[int, ...] = ()
    """Of such a model: the shape of one input; empty means flat."""
    inputs: tuple[ModelInput, ...] = ()
    """What it takes of each row; empty for one tensor of float32."""
    output: str = ""
    """Under which name, or at which place, its scores stand among several answers; empty where it
    gives one tensor."""
    last_layer: LastLayer = ""
    """What it ends in that makes probabilities of scores, which is taken back; empty if nothing."""

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance < float("inf"):
            raise SettingsError(
                f"The tolerance of a model of numbers is {self.tolerance}; make it a number from 0."
            )

    @property
    def is_plain(self) -> bool:
        """Whether the model takes rows and gives class scores as it is."""
        return self == PLAIN

    @property
    def answers_with_number(self) -> bool:
        """Whether it predicts a number in place of a class."""
        return self.tolerance > 0


PLAIN = ModelInterface()
"""Rows are tensors, and answers are class scores."""
