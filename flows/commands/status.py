"""`expunge status`: where every request stands."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from flows.commands.tables import (
    no_model,
    print_unclear,
    print_unusable,
    print_waiting,
    request_table,
)
from flows.console import Plain, shown
from tasks.attempts.served import unserved
from tasks.certificates.alarms import alarms
from tasks.certificates.quality import losses_in_service
from tasks.certificates.status import RequestSummary
from tasks.certificates.status import status as read_status
from tasks.environment.settings import load_settings
from tasks.journal.journal import now
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.subjects.protection import idle_holds
from tasks.versions import copies, retirement, strangers
from tasks.versions.alias_floor import breaches, taken_out_in_service
from unlearning.errors import DataError, SettingsError, TransientError
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted
from unlearning.policy.deletion import WORKED_ON
from unlearning.policy.digests import SHORT


def status(*, as_json: Annotated[bool, Parameter(name="--json", negative="")] = False) -> None:
    """Show every request with its outcome and reason, what waits for approval, and every model.

    Parameters
    ----------
    as_json
        Print everything as JSON, one object with requests, batches, unread, waiting, models, alarms
        and notes.
    """
    services = Services.open(load_settings())
    services.store.check()
    found = read_status(services)
    found["alarms"] = [*_aliases(services), *alarms(services)]
    found["alarms"] += _idle_holds(services)
    found["notes"] = _notes(services)
    if as_json:
        print(json.dumps(found, indent=1))  # noqa: T201 - the output asked for
        return
    console = Plain()
    for alarm in found["alarms"]:
        console.print(Text.assemble(("ALARM", "bold red"), " ", shown(alarm)))
    for line in (*_unread(found["unread"]), *_at_work(found["batches"])):
        console.print(line)
    if found["requests"]:
        listed = [RequestSummary(**r) for r in found["requests"]]
        console.print(request_table("Requests", listed, now().date()))
        print_unclear(console, listed)
        print_unusable(console, listed, services.store.uri)
    else:
        console.print(f"No request was read yet in {services.store.uri}.", soft_wrap=True)
    print_waiting(console, services)
    if found["models"]:
        console.print(_enrolled_table(found["models"]))
    else:
        console.print(no_model(services.store.uri), soft_wrap=True)
    for note in found["notes"]:
        console.print(f"Note: {note}")


def _unread(unread: dict[str, int]) -> Iterator[str]:
    """Files that no run has read yet."""
    for name, state in (("files", "not read yet"), ("growing", "may still be growing")):
        if count := unread[name]:
            yield f"{counted(count, 'file')} of requests: {state}. Next: expunge run"


def _at_work(batches: list[dict[str, str]]) -> Iterator[str]:
    """Batches that a run has begun and not ended, if it waits for nobody."""
    for one in batches:
        if one["status"] in WORKED_ON:
            yield f"Batch {one['batch']} is at work ({one['status']}) since {one['at']}."


def _enrolled_table(models: list[dict[str, Any]]) -> Table:
    """A line for each model; whole addresses are in the JSON, a terminal has no room for them."""
    table = Table(title="Enrolled models", title_justify="left", header_style="bold")
    for name in ("model", "trained on", "update", "budget used", "old versions"):
        table.add_column(name, overflow="fold")
    for m in models:
        state = "withdrawn" if m["is_withdrawn"] else f"version {m['version']}"
        if m["taken_out_by"]:
            state = f"taken out by {m['taken_out_by']}"
        name = m["dataset"].rstrip("/").rpartition("/")[2]
        table.add_row(
            f"{m['model']}\n{state}",
            f"{counted(m['learned_rows'], 'row')} of {name}, version {m['dataset_version']}",
            _made_by(m),
            _budget_used(m),
            "{retired} retired, {purged} purged".format(**m["old_versions"]),
        )
    return table


def _made_by(model: dict[str, Any]) -> str:
    """How it is made to forget: the update, and the recipe of a retrain."""
    said = f"{model['method']}, {'with' if model['has_ledger'] else 'no'} ledger"
    said = model["method"] if is_exact(model["method"]) else said
    return f"{said}\nrecipe {model['recipe'][:SHORT]}" if model["recipe"] else said


def _aliases(services: Services) -> list[str]:
    """Aliases that the next run puts back; what stands in the journal is shown without MLflow."""
    try:
        below = {breach.model: breach for breach in breaches(services)}
        found = [f"{breach.text}; run `expunge run`." for breach in below.values()]
        found += taken_out_in_service(services)
        found += [why for model, why in unserved(services).items() if model not in below]
        models = [e.model for e in enrolled_models(services.journal)]
        return found + [text for model in models for text in retirement.alarms(services, model)]
    except (TransientError, SettingsError, DataError) as error:
        return [f"Nobody knows where the aliases point. {error}"]


def _notes(services: Services) -> list[str]:
    """Quality that was lost, and versions that expunge does not look after if MLflow answers."""
    lost = list(losses_in_service(services))
    try:
        models = [e.model for e in enrolled_models(services.journal)]
        found = [text for model in models for text in copies.notes(services, model)]
        return lost + found + strangers.notes(services)
    except (TransientError, SettingsError, DataError):
        return lost  # the alarms say that MLflow is away


def _idle_holds(services: Services) -> list[str]:
    """Holds with ids that protect nobody; those are likely wrong."""
    try:
        return [f"Hold {one.sentence}; mend or release it." for one in idle_holds(services)]
    except DataError as error:
        return [str(error)]


def _budget_used(model: dict[str, Any]) -> str:
    """How much of its budget of updates is used; a model that is only retrained has none."""
    if is_exact(model["method"]):
        return "none needed"
    deletions, budget = model["deletions"], model["budget"]
    share = deletions["forgotten"] / max(1, deletions["trained_rows"])
    return (
        f"{share:.1%} of {budget['max_share']:.1%} rows, "
        f"{deletions['updates']} of {budget['max_updates']} updates"
    )
