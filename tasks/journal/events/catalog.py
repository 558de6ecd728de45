"""Every event by its name, read and written as JSON."""

from collections.abc import Mapping
from functools import cache
from typing import Any, get_args
from urllib.parse import quote

from pydantic import TypeAdapter

from tasks.journal.events.attempts import AttemptFact
from tasks.journal.events.batches import OwnBatchFact
from tasks.journal.events.event import Event, Kind, Stream
from tasks.journal.events.models import ModelFact
from tasks.journal.events.requests import RequestFact

BatchFact = OwnBatchFact | AttemptFact
Fact = RequestFact | BatchFact | ModelFact

FACTS: Mapping[Kind, tuple[type, ...]] = {
    "requests": get_args(RequestFact),
    "batches": get_args(BatchFact),
    "models": get_args(ModelFact),
}
"""Every type of event by kind of stream."""

_BY_NAME: Mapping[str, type] = {kind.__name__: kind for kinds in FACTS.values() for kind in kinds}


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
    facts = _adapter(type(event.facts)).dump_python(event.facts, mode="json")
    return {
        "number": event.number,
        "id": event.id,
        "name": event.name,
        "at": event.at,
        "status": event.status,
        "facts": facts,
    }


def from_json(values: Mapping[str, Any]) -> Event[Any]:
    """The event of these plain values."""
    facts = _adapter(_BY_NAME[values["name"]]).validate_python(values["facts"])
    head = {name: values[name] for name in ("number", "id", "at", "status")}
    return Event(facts=facts, **head)


@cache  # one for each class, for good
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
