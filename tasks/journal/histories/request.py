"""The history of one deletion request."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.journal.events.event import Event
from tasks.journal.events.requests import Answered, RequestFact
from unlearning.policy.deletion import is_open


@dataclass(frozen=True, slots=True)
class RequestHistory:
    """All that was said about a request, and where it stands."""

    events: tuple[Event[RequestFact], ...]

    @property
    def status(self) -> str:
        """Where it stands; empty if nobody knows it."""
        return self.events[-1].status if self.events else ""

    @property
    def is_open(self) -> bool:
        """Whether it still waits for something."""
        return is_open(self.status)

    def answer_in(self, batch: str) -> Answered | None:
        """The batch's answer; None if it gave none."""
        answers = (e.facts for e in self.events if isinstance(e.facts, Answered))
        return next((one for one in answers if one.batch == batch), None)


def request_history(events: Iterable[Event[RequestFact]]) -> RequestHistory:
    """The history that these events make."""
    return RequestHistory(tuple(events))
