"""What stands in the way of an enrolment, collected rather than raised one at a time."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from unlearning.errors import ExpungeError, TransientError

T = TypeVar("T")
_FLAG = re.compile(r"--[a-z][a-z-]+")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason for which a model would be refused."""

    text: str
    line: str = ""
    """What to type, where one line helps: flags of `expunge enroll`, or Python."""

    @classmethod
    def of(cls, error: ExpungeError) -> "Obstacle":
        """The obstacle that an error tells of; the first flag that its sentence names helps."""
        named = _FLAG.search(str(error))
        return cls(str(error), error.line or (f"{named[0]} …" if named else ""))

    @property
    def flags(self) -> str:
        """The flags to add, if those are what helps."""
        return self.line if self.line.startswith("--") else ""


class Obstacles:
    """Obstacles as they are found, each once."""

    def __init__(self) -> None:
        self._found: dict[str, Obstacle] = {}

    @property
    def found(self) -> tuple[Obstacle, ...]:
        """All of them, in the order in which they were found."""
        return tuple(self._found.values())

    def outcome(self, part: Callable[[], T]) -> T | None:
        """What a part gives; None if it is refused, which is an obstacle then.

        Raises:
            TransientError: a system is away, which says nothing of the model.
        """
        try:
            return part()
        except TransientError:
            raise
        except ExpungeError as error:
            self._add(error)
            return None

    def each(self, errors: Callable[[], Iterable[ExpungeError]]) -> bool:
        """Take up all errors that a part finds; whether it found none."""
        before = len(self._found)
        for error in self.outcome(lambda: list(errors())) or ():
            self._add(error)
        return len(self._found) == before

    def _add(self, error: ExpungeError) -> None:
        self._found.setdefault(str(error), Obstacle.of(error))
