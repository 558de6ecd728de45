"""Tables that a person reads after a run."""

from collections.abc import Iterable
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from tasks.approval.questions import waiting
from tasks.certificates.status import ModelSummary, RequestSummary, batch_models, requests
from tasks.intake.batches import report_key
from tasks.journal.events.preflight import Preflight
from tasks.registry.services import Services
from unlearning.policy.approval import ModelPreflight
from unlearning.policy.budget import is_exact
from unlearning.policy.deadlines import span

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


def print_batches(console: Console, services: Services, older: Iterable[str]) -> None:
    """Requests and models of every batch that the last run worked on."""
    heads = dict(services.journal.batches())
    newest = max(heads, key=lambda name: (heads[name].at, name), default="")
    for batch in (name for name in heads if name in {*older, newest}):
        found = list(requests(services, batch))
        if not found:  # a later batch took them all over
            continue
        console.print(request_table(f"Requests of batch {batch}", found))
        for model in batch_models(services, batch):
            console.print(model_table(model))
        if any(services.store.list_objects(report_key(batch))):
            # One line however long, so that it can be clicked or copied.
            console.print(f"Report: {services.store.uri}/{report_key(batch)}", soft_wrap=True)


def print_waiting(console: Console, services: Services) -> None:
    """Every batch that waits for a person, what it would do, and the next command."""
    for status, asked in waiting(services):
        word = "was rejected" if status == "rejected" else "waits for approval"
        why = f" {' '.join(asked.reasons)}" if asked.reasons else ""
        console.print(f"Batch {asked.batch} {word}.{why}", highlight=False)
        console.print(preflight_table(asked))
        console.print(f"Next: {next_command(status, asked.batch)}", highlight=False)


def next_command(status: str, batch: str) -> str:
    """What somebody types who decides about a batch that waits or was rejected."""
    approve = f"[bold]expunge approve {batch} --by NAME[/]"
    if status != "waiting":
        return approve
    return f"{approve} or [bold]expunge reject {batch} --by NAME --reason TEXT[/]"


def preflight_table(asked: Preflight) -> Table:
    """What each model would go through."""
    title = f"Preflight {asked.digest} of batch {asked.batch}, due on {asked.due_on}"
    table = Table(title=title, title_justify="left", header_style="bold")
    names = ("model", "rows to forget", "method", "seconds", "holdout accuracy", "power")
    for name in (*names, "if retrained"):
        table.add_column(name, overflow="fold")
    for model in asked.models:
        table.add_row(*_preflight_cells(model))
    return table


def _preflight_cells(m: ModelPreflight) -> tuple[str, ...]:
    return (
        f"{m.model} version {m.parent_version}{', serving' if m.is_serving else ''}",
        f"{m.forget_count} of {m.row_count} ({m.share:.1%})",
        m.method,
        _or_unknown(m.seconds, ".1f"),
        _or_unknown(m.holdout_change, "+.3f"),
        _or_unknown(m.power, ".0%"),
        _retrain(m),
    )


def _retrain(m: ModelPreflight) -> str:
    if is_exact(m.method):
        return "it is one"
    return "unknown" if m.retrain_seconds is None else span(m.retrain_seconds)


def _or_unknown(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


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
    return [f"{len(names)} requests, such as {names[0]}"]


def model_table(model: ModelSummary) -> Table:
    """Utility and forgetting of a model before and after."""
    title = (
        f"{model.model}, version {model.parent_version} → {model.version or 'none'}: "
        f"{model.forget_count} rows unlearned in {model.seconds:.1f} s, "
    )
    how = "by a stronger update" if model.rung == "stronger" else "by an update"
    how = "by a retrain" if model.method == "retrain" else how
    title += f"{how} ({model.reason.rstrip('.')}), " if model.reason else ""
    failed = ", ".join(model.failed)
    decision = f"[red]gate failed: {failed}[/]" if failed else "gate passed"
    if failed and model.passed:
        decision = f"gate passed, not shown: {failed}"
    decision += f", {model.outcome}" if model.outcome else ""
    table = Table(title=title + decision, title_justify="left", header_style="bold")
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    table.add_column("meaning")
    before, after = asdict(model.before), asdict(model.after)
    for key, name, meaning in _METRICS:
        table.add_row(name, f"{before[key]:.3f}", f"{after[key]:.3f}", meaning)
    return table


_METRICS = (
    ("retain_accuracy", "retain accuracy", "rows it may keep"),
    ("forget_accuracy", "forget accuracy", "rows it must forget; goal: as on holdout"),
    ("holdout_accuracy", "holdout accuracy", "rows it never saw"),
    ("mia_auc", "mia_auc", "0.5 forgotten, 1.0 remembered, below 0.5 over-forgotten"),
)
