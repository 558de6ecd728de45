"""How rows go into a model and what its answer means, where it is not class scores of a tensor."""

from dataclasses import dataclass

from unlearning.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInterface:
    """What lies between rows and the model, and between its answer and class scores."""

    tolerance: float = 0.0
    """Of a model that answers with a number: how far it may be off and still count as right, in the
    units of the label; 0 if it answers with class scores."""
    shape: tuple[int, ...] = ()
    """Of such a model: the shape of one input; empty means flat."""

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
