"""Unusable rows, kept for a while so that their sender can be helped."""

import json
from math import isfinite
from typing import Any

from tasks.registry.services import Services

_PREFIX = "requests/quarantine/"


def keep(services: Services, batch: str, rows: list[dict[str, Any]]) -> None:
    """Keep unusable rows, with their reasons, where their sender can be helped."""
    if rows:
        lines = "\n".join(json.dumps(_spelled(row), default=str) for row in rows)
        services.store.put(_key(batch), lines.encode())


def is_kept(services: Services, batch: str) -> bool:
    """Whether unusable rows of the batch are kept."""
    return any(services.store.list_objects(_key(batch)))


def drop(services: Services, batch: str) -> None:
    """Delete the unusable rows of the batch."""
    services.store.delete(_key(batch))


def kept_batches(services: Services) -> list[str]:
    """Batches of which unusable rows are kept, in name order."""
    found = services.store.list_objects(_PREFIX)
    return [info.key.removeprefix(_PREFIX).removesuffix(".jsonl") for info in found]


def places(services: Services) -> dict[str, str]:
    """Where unusable rows are kept, by batch."""
    return {batch: _key(batch) for batch in kept_batches(services)}


def _key(batch: str) -> str:
    return f"{_PREFIX}{batch}.jsonl"


def _spelled(value: Any) -> Any:
    """The same with what JSON has no numbers for in words."""
    if isinstance(value, dict):
        return {name: _spelled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
