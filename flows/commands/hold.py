"""`expunge hold`: place or release legal holds."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flows.console import Plain, command
from tasks.environment.settings import load_settings
from tasks.intake import legal_holds
from tasks.intake.submission import printable
from tasks.registry.services import Services
from tasks.store.probe import refuse_overwriting
from tasks.subjects import protection


def hold(
    file: Path,
    *,
    release: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Place a legal hold on every subject_id that a file names, or release that file's holds.

    Requests for a held subject stay open and are looked at again in every run. A hold protects its
    ids however they are spelled. They are looked up in the tables at once: a file with an id that
    protects nobody is refused, for it is likely a wrong one.

    Parameters
    ----------
    file
        File with a subject_id per row (.json, .jsonl, .csv or .parquet, each also .gz).
    release
        Remove the hold that was placed with a file of this name.
    force
        Place the hold although ids in it protect nobody; every run and `expunge status` say so.
    """
    services = Services.open(load_settings())
    services.store.check()
    refuse_overwriting(services.journal.store)  # neither of another form, nor being rotated
    name = printable(file.name)
    if release:
        legal_holds.release(services, file.name)
        said = f"Released the holds of {name}"
    else:
        said = f"On hold from now on: {protection.place(services, file, force=force).sentence}"
    console = Plain()
    console.print(said)
    if release:
        console.print(command("Next:", "expunge run"))
