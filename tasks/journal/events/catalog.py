"""Every event by its name, read and written as JSON."""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from tasks.journal.events.attempts import AttemptFact
from tasks.journal.events.batches import OwnBatchFact
from tasks.journal.events.event import Event, Kind, Stream
from tasks.journal.events.models import ModelFact
from tasks.journal.events.requests import RequestFact
from unlearning.errors import DataError

BatchFact = OwnBatchFact | AttemptFact
Fact = RequestFact | BatchFact | ModelFact

FACTS: Mapping[Kind, tuple[type, ...]] = {
    "requests": get_args(RequestFact),
    "batches": get_args(BatchFact),
    "models": get_args(ModelFact),
}
"""Every type of event by kind of stream."""

_BY_NAME: Mapping[Kind, Mapping[str, type]] = {
    kind: {event.__name__: event for event in events} for kind, events in FACTS.items()
}


def request_stream(record_id: str) -> Stream[RequestFact]:
    """The stream of one record."""
    return Stream("requests", record_id)


def batch_stream(batch: str) -> Stream[BatchFact]:
    """The stream of one batch."""
    return Stream("batches", batch)


def model_stream(model: str) -> Stream[ModelFact]:
    """The stream of one model; its name may hold anything."""
    return Stream("models", quote(model, safe=""))


def to_json(event: Event[Fact]) -> dict[str, Any]:
    """An event as plain values."""
    facts = _adapter(type(event.facts)).dump_python(event.facts, mode="json", warnings=False)
    return {
        "number": event.number,
        "id": event.id,
        "name": event.name,
        "at": event.at,
        "status": event.status,
        "facts": facts,
    }


def from_json(values: Mapping[str, Any], kind: Kind) -> Event[Any]:
    """The event of these plain values, of a stream of this kind.

    Raises:
        DataError: such streams have no event of that name, or not with these facts.
    """
    name = str(values.get("name", ""))
    try:
        facts = _adapter(_BY_NAME[kind][name]).validate_python(values["facts"])
        head = {part: values[part] for part in ("number", "id", "at", "status")}
    except (KeyError, ValidationError):
        # The library's own text quotes the values, which nobody may read in a log.
        raise DataError(
            f"The journal holds an event {name!r} that this release cannot read; use the release "
            "that wrote it, or restore the object."
        ) from None
    return Event(facts=facts, **head)


@cache  # one for each class, for good
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
