"""The history of one deletion request."""

from collections.abc import Iterable
from dataclasses import dataclass

from tasks.journal.events.event import Event
from tasks.journal.events.requests import Answered, RequestFact


@dataclass(frozen=True, slots=True)
class RequestHistory:
    """All that was said about a request."""

    events: tuple[Event[RequestFact], ...]

    def answer_in(self, batch: str) -> Answered | None:
        """The batch's answer; None if it gave none."""
        answers = (e.facts for e in self.events if isinstance(e.facts, Answered))
        return next((one for one in answers if one.batch == batch), None)


def request_history(events: Iterable[Event[RequestFact]]) -> RequestHistory:
    """The history that these events make."""
    return RequestHistory(tuple(events))
