"""`expunge run`: work off every open deletion request."""

import sys
from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.commands.plan_page import write_plan
from flows.commands.plan_tables import print_plan
from flows.commands.tables import no_model, print_batches, print_waiting
from flows.console import Plain, command
from tasks.environment.settings import load_settings, prepare_prefect
from tasks.intake.inbox import INCOMING, growing_count
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services
from tasks.subjects.open_batches import has_work, unfinished
from tasks.versions import retirement
from tasks.versions.alias_floor import breaches
from unlearning.policy.counted import counted


def run(
    *,
    plan: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    html: Path | None = None,
) -> None:
    """Work off every open deletion request: validate, unlearn, gate, promote, erase, certify.

    Safe to repeat and to interrupt: a second run continues where the first one stopped, and
    with nothing new it changes nothing. Old model versions whose days are over are purged. A batch
    that is larger than a model's approval policy allows waits, with status 0, until somebody
    approves it.

    Parameters
    ----------
    plan
        Only say what the next run would do to each request, table and model; nothing is changed.
    json
        Print that plan as JSON.
    html
        Write that plan as a page into this file.
    """
    if plan or json or html is not None:
        _plan(as_json=json, page=html)
        return
    services = Services.open(load_settings())
    services.store.check()
    console = Plain()
    _say_what_is_left(console, services)
    if not has_work(services) and not any(breaches(services)) and not _has_old(services):
        console.print(_nothing_new(services), soft_wrap=True)
        return
    before = set(unfinished(services))
    prepare_prefect()
    from flows.process_deletions import run_now

    try:
        run_now()
    finally:
        print_batches(console, services, before)
        print_waiting(console, services)
        console.print(command("Next:", "expunge status"))
        console.print(f"Store: {services.settings.store_uri}", soft_wrap=True)
    _refresh_ledgers(console)


def _plan(*, as_json: bool, page: Path | None) -> None:
    from flows.planned_run import plan  # torch, which a run without work can do without

    services = Services.rehearsing(load_settings())
    found = plan(services)
    if page is not None:
        write_plan(found, page, services.settings.store_uri)
    if as_json:
        sys.stdout.write(dumps(asdict(found), indent=1) + "\n")
    else:
        print_plan(Plain(), found)
        if page is not None:
            Plain().print(f"Page: {page}", soft_wrap=True)


def _has_old(services: Services) -> bool:
    """Whether an old version is to be retired or purged, or somebody must look at one."""
    return any(retirement.has_work(services, e.model) for e in enrolled_models(services.journal))


def _nothing_new(services: Services) -> str:
    """Why there is nothing to do; an empty place is not one where all is well."""
    if not any(enrolled_models(services.journal)):
        return no_model(services.store.uri)
    return f"Nothing new in {services.store.uri}: every request is answered or on hold."


def _say_what_is_left(console: Plain, services: Services) -> None:
    if count := growing_count(services):
        one = f"{counted(count, 'file')} in {services.store.uri}/{INCOMING}"
        console.print(
            f"Left for the next run: {one} changed within the last "
            f"{services.settings.settle_seconds} seconds and may still be growing."
        )


def _refresh_ledgers(console: Plain) -> None:
    """The next ledgers, for who has no `refresh-ledgers` deployment; a failure changes nothing."""
    from flows.refresh_ledgers import refresh_ledgers

    try:
        refresh_ledgers()
    except Exception as error:  # noqa: BLE001 - whatever it was, the batches are done
        said = f"Everything is done but the gradient ledgers: {error} Try again with"
        console.print(command(said, "expunge ledger"))
