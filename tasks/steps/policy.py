"""How every step runs: retried when a system was away, cached and persisted never."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from tasks.foreign_errors import is_transient
from tasks.pipeline import Steps
from tasks.steps.process import services

P = ParamSpec("P")
R = TypeVar("R")

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


def step(method: Callable[Concatenate[Steps, P], R]) -> Task[P, R]:
    """A step of the pipeline as a Prefect task, over the services of the process it runs in."""

    @wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        return method(Steps(services()), *args, **kwargs)

    # Prefect records arguments by name, and the services are none.
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    cast("Any", run).__signature__ = signature.replace(parameters=parameters)
    return cast("Task[P, R]", STEP(run))
