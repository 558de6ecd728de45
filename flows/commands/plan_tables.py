"""What a person reads of a plan: each batch with its requests, tables and models."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from flows.commands.tables import request_table
from flows.console import Plain, command, shown
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted
from unlearning.policy.deadlines import span

if TYPE_CHECKING:
    from flows.planned_run import Plan, PlannedBatch, PlannedModel


COLUMNS = ("model", "rows to forget", "method", "about", "power", "would end in")
"""What is told of each model."""


def print_plan(console: Plain, found: "Plan") -> None:
    """The plan, batch by batch; nothing was changed for it."""
    console.print(Text("What the next run would do; nothing was changed.", "bold"))
    if found.growing:
        files = counted(found.growing, "file")
        console.print(f"Left for a later run: {files} that may still be growing.")
    if not found.batches:
        console.print("Nothing is open: every request is answered or on hold.")
    for one in found.batches:
        _print_batch(console, one)
    if any(one.trouble or one.waits for one in found.batches):
        console.print(command("Next:", "expunge status"))


def _print_batch(console: Plain, one: "PlannedBatch") -> None:
    due = f", due on {one.due_on}" if one.due_on else ""
    console.print(request_table(f"Batch {one.batch}{due}", one.requests))
    for uri, count in one.rows.items():
        console.print(f"Table {uri}: {counted(count, 'row')} to erase", soft_wrap=True)
    if one.models:
        console.print(_models(one.models))
    if one.waits:
        console.print(f"It would wait for approval. {' '.join(one.waits)}", soft_wrap=True)
    if one.trouble:
        console.print(Text(f"It would stop: {shown(one.trouble)}", "bold red"), soft_wrap=True)


def _models(found: "tuple[PlannedModel, ...]") -> Table:
    table = Table(header_style="bold")
    for name in COLUMNS:
        table.add_column(name, overflow="fold")
    for one in found:
        table.add_row(*cells(one))
    return table


def cells(one: "PlannedModel") -> tuple[str, ...]:
    """What is said of a model, under the names of `COLUMNS`."""
    m = one.preflight
    return (
        f"{m.model} version {m.parent_version}{', serving' if m.is_serving else ''}",
        f"{m.forget_count} of {m.row_count}",
        m.method,
        _about(one),
        "unknown" if m.power is None else f"{m.power:.0%}",
        " ".join(part for part in (one.reason, one.prospect.ending) if part),
    )


def _about(one: "PlannedModel") -> str:
    """The candidate's time, and that of a retrain where one may follow."""
    m = one.preflight
    first = "unknown" if m.seconds is None else span(m.seconds)
    by = f" by recipe {m.recipe}" if m.recipe else ""
    if is_exact(m.method):
        return f"{first}{by}"
    if m.retrain_seconds is None:
        return f"{first}; a retrain{by} unknown" if by else first
    return f"{first}; a retrain{by} {span(m.retrain_seconds)}"
