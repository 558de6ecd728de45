"""How every step runs: retried when a system was away, cached and persisted never."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.foreign_errors import is_transient

_POLICY: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 60],
    "retry_condition_fn": is_transient,
    # A step may run twice, so its effects are made once (tasks/journal/effects.py).
    "cache_policy": NO_CACHE,
    "persist_result": False,
}

STEP = task(**_POLICY)
"""Makes a function a step: a Prefect task with the one retry policy."""
