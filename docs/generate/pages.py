"""Which generator fills which mark."""

from collections.abc import Callable, Mapping

from docs.generate import (
    checks,
    commands,
    events,
    exits,
    methods,
    options,
    results,
    settings,
    statuses,
)
from docs.generate import files as request_files

GENERATORS: Mapping[str, Callable[[], str]] = {
    "commands": commands.page,
    "options": options.page,
    "methods": methods.page,
    "settings": settings.page,
    "request-limits": request_files.limits,
    "request-rules": request_files.rules,
    "request-statuses": statuses.meanings,
    "request-transitions": lambda: statuses.transitions("requests"),
    "batch-transitions": lambda: statuses.transitions("batches"),
    "events": events.page,
    "checks": checks.page,
    "not-proven": checks.not_proven,
    "exit-statuses": exits.page,
    "results": results.page,
}
