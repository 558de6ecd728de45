"""A run that dies at a call that changes something, within this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matrix.points import Counter, install


class Killed(BaseException):
    """The run's process is no more; no handler of the product's takes this for an error."""


class Fuse(Counter):
    """Counts the calls that change something, and burns through at one of them."""

    def __init__(self) -> None:
        super().__init__(on_call=self._reached)
        self.wrapped: list[tuple[Any, str, Any]] = []
        self.left = 0
        self.at = "after"

    def wrap(self, owner: Any, name: str, label: Any) -> None:
        self.wrapped.append((owner, name, getattr(owner, name)))
        super().wrap(owner, name, label)

    def wrap_half(self, owner: Any, name: str) -> None:
        self.wrapped.append((owner, name, getattr(owner, name)))
        super().wrap_half(owner, name)

    def arm(self, calls: int, side: str) -> None:
        """Die at the so manieth call from now on, before or after it is made; 0: never."""
        self.labels.clear()
        self.left, self.at = calls, side

    def _reached(self, number: int, side: str, _: str) -> None:
        if self.left and number >= self.left and side == self.at:
            raise Killed


@contextmanager
def fuse() -> Iterator[Fuse]:
    """A fuse in every call that changes something, taken out in the end."""
    made = Fuse()
    install(made)
    try:
        yield made
    finally:
        for owner, name, original in reversed(made.wrapped):
            setattr(owner, name, original)
