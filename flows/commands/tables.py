"""Tables that a person reads after a run."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date

from rich.table import Table
from rich.text import Text

from flows.console import Plain, command, shown
from tasks.approval.questions import waiting
from tasks.certificates.status import ModelSummary, RequestSummary, batch_models, requests
from tasks.intake.batches import report_key
from tasks.journal.events.preflight import Preflight
from tasks.registry.services import Services
from unlearning.policy.approval import ModelPreflight, end_of
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted
from unlearning.policy.deadlines import span
from unlearning.policy.few_people import FEW, without_measures

_COLORS = {
    "erased": "green",
    "not_found": "cyan",
    "cannot_tell": "bold red",
    "quarantined": "red",
    "duplicate": "blue",
    "on_hold": "yellow",
    "unclear": "bold yellow",
    "withdrawn": "blue",
    "blocked": "bold red",
    "accepted": "white",
}
_ALIKE = 3
_NEVER = "~"
"""Stands behind every date."""


def print_batches(console: Plain, services: Services, older: Iterable[str]) -> None:
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
            if model.quality:
                console.print(model.quality)
        if any(services.store.list_objects(report_key(batch))):
            # One line however long, so that it can be clicked or copied.
            console.print(f"Report: {services.store.uri}/{report_key(batch)}", soft_wrap=True)


def print_waiting(console: Plain, services: Services) -> None:
    """Every batch that waits for a person, what it would do, and the next command."""
    for status, asked in waiting(services):
        word = "was rejected" if status == "rejected" else "waits for approval"
        why = f" {' '.join(asked.reasons)}" if asked.reasons else ""
        console.print(f"Batch {asked.batch} {word}.{why}")
        console.print(preflight_table(asked))
        for said in filter(None, map(end_of, asked.models)):
            console.print(said)
        console.print(command("Next:", *next_commands(status, asked.batch)))


def print_unclear(console: Plain, found: Iterable[RequestSummary]) -> None:
    """Requests that a person must settle, and the next command."""
    unclear = [one.request_id for one in found if one.status == "unclear"]
    if not unclear:
        return
    are = "request is" if len(unclear) == 1 else "requests are"
    console.print(
        f"{len(unclear)} {are} unclear: rows have nearly the same id, but for its spelling, or the "
        "same id under another kind. Ask who sent them."
    )
    by = "--by NAME --reason TEXT"
    settle = f"expunge settle {unclear[0]}"
    console.print(command("Next:", f"{settle} --exact {by}", f"{settle} --withdraw {by}"))


def print_unusable(console: Plain, found: Iterable[RequestSummary], store: str) -> None:
    """Where rows and files that could not be used are kept, by whose names they can be found."""
    for place, count in sorted(Counter(one.kept_at for one in found if one.kept_at).items()):
        kept = f"{counted(count, 'unusable record')} kept, with the name of the file: "
        console.print(f"{kept}{store}/{place}", soft_wrap=True)


def next_commands(status: str, batch: str) -> list[str]:
    """What somebody types who decides about a batch that waits or was rejected."""
    approve = f"expunge approve {batch} --by NAME"
    if status != "waiting":
        return [approve]
    return [approve, f"expunge reject {batch} --by NAME --reason TEXT"]


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
    time = "unknown" if m.retrain_seconds is None else span(m.retrain_seconds)
    said = "it is one" if is_exact(m.method) else time
    return f"{said}, by recipe {m.recipe}" if m.recipe else said


def _or_unknown(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def no_model(store: str) -> str:
    """What to say where nothing is enrolled: an empty place may be the wrong one."""
    return (
        f"No model is enrolled in {store}: enrol one, or see that EXPUNGE_HOME and EXPUNGE_STORE "
        "name the place that you mean."
    )


def request_table(title: str, found: Iterable[RequestSummary], today: date | None = None) -> Table:
    """One line per request; requests with the same outcome and reason share a line if many.

    With today's date, open requests come first and say when they are due.
    """
    table = Table(title=title, title_justify="left", header_style="bold")
    for name in ("request", "outcome", *(["due"] if today else []), "reason"):
        table.add_column(name, overflow="fold")
    for due, status, reason, labels in alike(found, is_by_day=today is not None):
        color = _COLORS[status]
        for label in labels:
            cells = [_due(due, today)] if today else []
            table.add_row(label, Text(status.replace("_", " "), style=color), *cells, reason)
    return table


def alike(
    found: Iterable[RequestSummary], *, is_by_day: bool = False
) -> Iterator[tuple[str, str, str, list[str]]]:
    """Due day, status and reason of requests that have all three in common, and their names.

    Without days, those count as alike that differ in them alone.
    """
    groups: dict[tuple[str, str, str], list[RequestSummary]] = {}
    for request in found:
        due = request.due_on if is_by_day else ""
        groups.setdefault((due or _NEVER, request.status, request.reason), []).append(request)
    for group, members in sorted(groups.items()):
        yield *group, _labels(members)


def _due(due: str, today: date) -> Text:
    if due == _NEVER:
        return Text("")
    is_over = due < today.isoformat()
    return Text(f"{due}, overdue" if is_over else due, style="bold red" if is_over else "")


def _labels(members: list[RequestSummary]) -> list[str]:
    names = sorted(m.request_id or f"record {m.record_id}" for m in members)
    if len(names) <= _ALIKE:
        return names
    return [f"{len(names)} requests, such as {names[0]}"]


def model_table(model: ModelSummary) -> Table:
    """Utility and forgetting of a model before and after."""
    table = Table(title=_model_title(model), title_justify="left", header_style="bold")
    table.add_column("")
    for name in ("before", "after"):
        table.add_column(name, justify="right")
    table.add_column("meaning")
    before, after = asdict(model.before), asdict(model.after)
    if model.of_few:
        before, after = without_measures(before), without_measures(after)
    exact, error = is_exact(model.method), model.error
    for key, name, meaning in _METRICS:
        if exact and key in _OF_FORGETTING:
            meaning = "not judged: a retrained model never read these rows"  # noqa: PLW2901
        if key in before:
            table.add_row(name, f"{before[key]:.3f}", f"{after[key]:.3f}", meaning)
        else:
            table.add_row(name, "withheld", "withheld", f"of fewer than {FEW} people")
    if error is not None:
        table.add_row(
            "mean error",
            f"{error.before:.4g}",
            f"{error.after:.4g}",
            f"on rows it never saw; an answer less than {error.tolerance:.4g} off counts as right",
        )
    return table


def _model_title(model: ModelSummary) -> Text:
    """What was done to the model, and what the gate said of it."""
    rows = counted(model.forget_count, "row")
    now = "out of service" if model.is_withdrawn else model.version or "none"
    done = f"{rows} unlearned" if model.version else f"{rows} to forget, candidate made"
    said = (
        f"{model.model}, version {model.parent_version} → {now}: {done} in {model.seconds:.1f} s, "
    )
    how = "by a stronger update" if model.rung == "stronger" else "by an update"
    how = "by a retrain" if is_exact(model.method) else how
    said += f"{how} ({model.reason.rstrip('.')}), " if model.reason else ""
    return Text.assemble(shown(said), *_decision(model))


def _decision(model: ModelSummary) -> list[str | tuple[str, str]]:
    failed = "; ".join(model.failed)
    parts: list[str | tuple[str, str]] = [(f"gate failed: {failed}", "red")]
    if model.passed:
        parts = ["gate passed" + (f", not shown: {failed}" if failed else "")]
    if is_exact(model.method) and model.outcome == "forgotten":
        return [*parts, ", forgotten by construction, not by measure"]
    return [*parts, f", {model.outcome}" if model.outcome else ""]


_METRICS = (
    ("retain_accuracy", "retain accuracy", "rows it may keep"),
    ("forget_accuracy", "forget accuracy", "rows it must forget; goal: as on holdout"),
    ("holdout_accuracy", "holdout accuracy", "rows it never saw"),
    ("mia_auc", "mia_auc", "0.5 forgotten, 1.0 remembered, below 0.5 over-forgotten"),
)
_OF_FORGETTING = ("forget_accuracy", "mia_auc")
