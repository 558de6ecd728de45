"""`expunge submit`: put files of deletion requests into the store."""

from pathlib import Path

from flows.console import Plain, command
from tasks.environment.settings import load_settings
from tasks.intake.foretelling import foretold
from tasks.intake.inbox import SUBMITTED
from tasks.intake.submission import submit_file
from tasks.registry.services import Services
from tasks.store.probe import refuse_overwriting
from tasks.subjects.enrolled_ids import EnrolledIds
from unlearning.errors import DataError, RequestError, SettingsError, TransientError


def submit(*files: Path) -> None:
    """Put files of deletion requests into the store, for the next run to find.

    A file holds one request per row, as .json, .jsonl, .csv or .parquet, each also .gz, with the
    fields request_id (your case number), subject_id (as in the tables), received_at (ISO 8601 with
    time zone) and, if you like, ground (a to f, as in Art. 17(1) GDPR).

    What the run will quarantine is told at once, with rows counted from 1. If no row of any file
    can be used, the exit status is 2; the files are stored all the same.

    Parameters
    ----------
    files
        Files to submit.
    """
    if not files:
        raise SettingsError("Name at least one file to submit.")
    services = Services.open(load_settings())
    services.store.check()
    refuse_overwriting(services.journal.store)  # neither of another form, nor being rotated
    console = Plain()
    ids, usable = EnrolledIds(services), 0
    for path in files:
        console.print(submit_file(services, path, SUBMITTED))
        try:
            told = foretold(services, path, ids)
        except (DataError, TransientError) as error:
            console.print(f"The run compares the ids with the tables; nobody could now. {error}")
            told = foretold(services, path)
        if told.sentence:
            console.print(told.sentence)
        usable += told.usable
    if not usable:
        raise RequestError(
            "No row of what was stored can be used; mend it, and submit it under another name."
        )
    console.print(command("Next:", "expunge run"))
