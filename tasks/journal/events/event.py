"""An event as the journal keeps it, and the streams that events lie in."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

F_co = TypeVar("F_co", covariant=True)

Kind = Literal["requests", "batches", "models"]
"""What a stream is about."""


@dataclass(frozen=True, slots=True)
class Event(Generic[F_co]):
    """One thing that happened; `status` is the stream's after it."""

    number: int
    """Its place in the stream, from 1."""
    id: str
    """Given by whoever appended it: the same id is never appended twice to one stream."""
    at: str
    """When it was appended, ISO 8601 in UTC."""
    status: str
    facts: F_co

    @property
    def name(self) -> str:
        """What happened, in the past tense."""
        return type(self.facts).__name__


@dataclass(frozen=True, slots=True)
class Stream(Generic[F_co]):
    """All that happened to one request, batch or model, in order."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        """Where it lies below the journal's root."""
        return f"{self.kind}/{self.name}"
