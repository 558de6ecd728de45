"""Where training rows are, apart from what reads them: whoever asks for a status needs no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Where a model's training rows are and how they become inputs and labels."""

    uri: str
    features: tuple[str, ...]
    """One list column, or any number of numeric columns in the model's order."""
    label: str
    subject: str
    shape: tuple[int, ...] = ()
    """Shape of one input; empty means flat."""
    scale: float = 1.0
    """Features are divided by this (255 for images)."""
    slices: tuple[str, ...] = ()
    """Columns of strings, integers or booleans by whose values utility is judged; not `subject`."""
