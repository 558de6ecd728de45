"""What a person reads before and after a model is enrolled."""

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from flows.console import Plain, command, shown
from unlearning.policy.counted import counted
from unlearning.policy.deadlines import span
from unlearning.policy.prospects import Prospect

if TYPE_CHECKING:  # who only asks for help must not wait for torch
    from tasks.enrolling.checking import EnrolmentCheck
    from tasks.enrolling.outlook import Available, Outlook
    from unlearning.model.form import ModelForm

_LAYERS = 6


def print_check(console: Plain, found: "EnrolmentCheck", typed: Sequence[str]) -> None:
    """Everything that a check found; `typed` are the words after `expunge enroll`."""
    version = "" if found.version is None else f" version {found.version}"
    console.print(Text(f"Check of {shown(found.model)}{version}: nothing was changed", "bold"))
    if found.outlook is not None:
        console.print(_recognised(found, found.outlook.form))
        print_outlook(console, found.outlook)
    for note in found.notes:
        console.print(f"Note: {note}", soft_wrap=True)
    if found.is_possible:
        console.print(command("It can be enrolled:", _next(typed, ())))
        return
    console.print(_obstacles(found))
    flags = list(dict.fromkeys(one.flags for one in found.obstacles if one.flags))
    if flags:
        console.print(command("Look again with:", _next([*typed, "--check"], flags)))


def print_outlook(console: Plain, found: "Outlook") -> None:
    """Which rungs and which evidence there are, and what requests would end in."""
    console.print(_availables("rung", found.rungs))
    console.print(_availables("evidence", found.evidence))
    console.print(_prospects(found.prospects))
    for one in found.advice:
        console.print(f"Note: {one}", soft_wrap=True)


def _recognised(found: "EnrolmentCheck", form: "ModelForm") -> Table:
    table = _table("recognised", "")
    if form.form == "opaque":
        _add_opaque(table, found, form)
        return table
    layers = sorted(form.layers.items(), key=lambda one: (-one[1], one[0]))
    names = [f"{count} {name}" for name, count in layers[:_LAYERS]]
    table.add_row("form", form.form)
    table.add_row("architecture", f"{form.architecture}: {', '.join(names)}")
    table.add_row("parameters", f"{form.parameters:,}, of which an update moves {form.trainable:,}")
    if found.input_shape:
        table.add_row("inputs", f"{found.input_kind} {list(found.input_shape)}")
    table.add_row("labels", _labels(found))
    table.add_row("layers with a mode", ", ".join(form.mode_layers) or "none")
    table.add_row("tied weights", ", ".join(form.tied) or "none")
    if found.row_count is not None:
        table.add_row("training rows", f"{found.row_count:,}")
    return table


def _add_opaque(table: Table, found: "EnrolmentCheck", form: "ModelForm") -> None:
    table.add_row("form", f"of another library, asked by MLflow's flavour {form.architecture}")
    table.add_row("inputs", shown(", ".join(found.columns)))
    labels = ", ".join(found.class_names) or _labels(found)
    table.add_row("labels", shown(labels))
    if found.row_count is not None:
        table.add_row("training rows", f"{found.row_count:,}")


def _labels(found: "EnrolmentCheck") -> str:
    seen = "" if found.classes is None else f"0 to {found.classes - 1}, "
    return f"{seen}loss {found.loss}"


def _availables(kind: str, found: Iterable["Available"]) -> Table:
    table = _table(kind, "available", "what", "about")
    for one in found:
        there = Text("no", "bold red") if one.why_not else Text("yes", "green")
        seconds = "" if one.seconds is None else span(one.seconds)
        table.add_row(one.name, there, one.why_not or one.said, seconds)
    return table


def _prospects(found: Iterable[Prospect]) -> Table:
    table = _table("a request of", "power", "would end in")
    for one in found:
        power = "unknown" if one.power is None else f"{one.power:.0%}"
        table.add_row(counted(one.rows, "row"), power, one.ending)
    return table


def _obstacles(found: "EnrolmentCheck") -> Table:
    table = _table("it cannot be enrolled", "type")
    for one in found.obstacles:
        table.add_row(one.text, Text(shown(one.line), "bold"))
    return table


def _next(typed: Sequence[str], flags: Sequence[str]) -> str:
    """The command to type; words in capitals are for the reader to fill in."""
    return " ".join(["expunge enroll", shlex.join(_without(typed, flags)), *flags]).strip()


def _without(typed: Sequence[str], flags: Sequence[str]) -> list[str]:
    """The words without options, and their values, in whose place others are to be typed."""
    replaced = {word for line in flags for word in line.split() if word.startswith("--")}
    found: list[str] = []
    is_replaced = False
    for word in typed:
        if word.startswith("--"):
            is_replaced = word.partition("=")[0] in replaced
        if not is_replaced:
            found.append(word)
    return found


def _table(*names: str) -> Table:
    table = Table(header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table
