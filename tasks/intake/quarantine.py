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
        services.store.put(f"{_PREFIX}{batch}.jsonl", lines.encode())


def _spelled(value: Any) -> Any:
    """The same with what JSON has no numbers for in words."""
    if isinstance(value, dict):
        return {name: _spelled(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_spelled(one) for one in value]
    return str(value) if isinstance(value, float) and not isfinite(value) else value
