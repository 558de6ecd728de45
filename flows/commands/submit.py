"""`expunge submit`: put files of deletion requests into the store."""

from pathlib import Path

from flows.console import Plain, command
from tasks.environment.settings import load_settings
from tasks.intake.foretelling import foretold
from tasks.intake.inbox import SUBMITTED
from tasks.intake.submission import submit_file
from tasks.registry.services import Services
from tasks.store.format import check_format
from tasks.store.probe import refuse_overwriting
from unlearning.errors import SettingsError


def submit(*files: Path) -> None:
    """Put files of deletion requests into the store, for the next run to find.

    A file holds one request per row, as .json, .jsonl, .csv or .parquet, each also .gz, with the
    fields request_id (your case number), subject_id (as in the tables), received_at (ISO 8601 with
    time zone) and, if you like, ground (a to f, as in Art. 17(1) GDPR).

    Parameters
    ----------
    files
        Files to submit.
    """
    if not files:
        raise SettingsError("Name at least one file to submit.")
    services = Services.open(load_settings())
    services.store.check()
    check_format(services.store)
    refuse_overwriting(services.store)
    console = Plain()
    for path in files:
        console.print(submit_file(services, path, SUBMITTED))
        if told := foretold(services, path):
            console.print(told)
    console.print(command("Next:", "expunge run"))
