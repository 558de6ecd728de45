"""Tables that a person reads after a run."""

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from tasks.journal import heads
from tasks.object_store import ObjectStore
from tasks.summary import ModelSummary, RequestSummary, batch_models, requests

_COLORS = {
    "erased": "green",
    "not_found": "cyan",
    "quarantined": "red",
    "duplicate": "blue",
    "on_hold": "yellow",
    "blocked": "bold red",
    "accepted": "white",
}
_ALIKE = 3


def print_batches(console: Console, store: ObjectStore, older: Iterable[str]) -> None:
    """Requests and models of every batch that the last run worked on."""
    names = [name for name, _ in heads(store, "batches")]
    touched = set(older) | {n for n in names if n == _newest(store)}
    for batch in (n for n in names if n in touched):
        found = list(requests(store, batch))
        if not found:  # a later batch took them all over
            continue
        console.print(request_table(f"Requests of batch {batch}", found))
        for model in batch_models(store, batch):
            console.print(model_table(model))


def _newest(store: ObjectStore) -> str:
    return max(((e.at, n) for n, e in heads(store, "batches")), default=("", ""))[1]


def request_table(title: str, found: Iterable[RequestSummary]) -> Table:
    """One line per request; requests with the same outcome and reason share a line if many."""
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("request", "outcome", "reason"):
        table.add_column(name, overflow="fold")
    groups: dict[tuple[str, str], list[RequestSummary]] = {}
    for request in found:
        groups.setdefault((request.status, request.reason), []).append(request)
    for (status, reason), members in sorted(groups.items()):
        color = _COLORS[status]
        for label in _labels(members):
            table.add_row(label, f"[{color}]{status.replace('_', ' ')}[/]", reason)
    return table


def _labels(members: list[RequestSummary]) -> list[str]:
    names = sorted(m.request_id or f"record {m.record_id}" for m in members)
    if len(names) <= _ALIKE:
        return names
    return [f"{names[0]} … {names[-1]} ({len(names)} requests)"]


def model_table(model: ModelSummary) -> Table:
    """Utility and forgetting of a model before and after."""
    title = (
        f"{model.model}, version {model.parent_version} → {model.version or 'none'}: "
        f"{model.forget_count} rows unlearned in {model.seconds:.1f} s, "
    )
    title += f"by a retrain ({model.reason.rstrip('.')}), " if model.reason else ""
    verdict = f"[red]gate failed: {', '.join(model.failed)}[/]" if model.failed else "gate passed"
    table = Table(title=title + verdict, title_justify="left", header_style="bold")
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    table.add_column("meaning")
    for key, name, meaning in _METRICS:
        table.add_row(name, f"{model.before[key]:.3f}", f"{model.after[key]:.3f}", meaning)
    return table


_METRICS = (
    ("retain_accuracy", "retain accuracy", "rows it may keep"),
    ("forget_accuracy", "forget accuracy", "rows it must forget; goal: as on holdout"),
    ("holdout_accuracy", "holdout accuracy", "rows it never saw"),
    ("mia_auc", "mia_auc", "0.5 forgotten, 1.0 remembered, below 0.5 over-forgotten"),
)
