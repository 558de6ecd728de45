"""The plan of the next run as a page: one file that loads nothing and runs nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined

from flows.commands.plan_tables import COLUMNS, cells
from flows.commands.tables import alike
from tasks.journal.journal import now
from unlearning.errors import SettingsError
from unlearning.policy.counted import counted

if TYPE_CHECKING:
    from flows.planned_run import Plan, PlannedBatch

_TEMPLATE = Path(__file__).with_name("plan_page.html")


def write_plan(found: "Plan", file: Path, store: str) -> None:
    """Write the plan as a page into the file, which may be there already.

    Raises:
        SettingsError: nothing can be written there.
    """
    try:
        file.write_text(plan_page(found, store), encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"The plan cannot be written to {file} ({error.strerror}); name another --html FILE."
        ) from error


def plan_page(found: "Plan", store: str) -> str:
    """The plan as HTML; every text in it is escaped."""
    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
    environment.filters["counted"] = counted
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        batches=[_batch(one) for one in found.batches],
        columns=COLUMNS,
        growing=found.growing,
        requests=sum(len(one.requests) for one in found.batches),
        rows=sum(sum(one.rows.values()) for one in found.batches if not (one.trouble or one.waits)),
        models={m.preflight.model for one in found.batches for m in one.models},
        stopped=sum(bool(one.trouble) for one in found.batches),
        waiting=sum(bool(one.waits) for one in found.batches),
        store=store,
        made_at=f"{now():%Y-%m-%d %H:%M} UTC",
    )


def _batch(one: "PlannedBatch") -> dict[str, object]:
    tone = "stops" if one.trouble else "waits" if one.waits else "goes"
    return {
        "facts": one,
        "tone": tone,
        "requests": [
            (status.replace("_", " "), reason, ", ".join(labels))
            for _, status, reason, labels in alike(one.requests)
        ],
        "models": [cells(model) for model in one.models],
    }
