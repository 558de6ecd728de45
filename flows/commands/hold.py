"""`expunge hold`: place or release legal holds."""

from pathlib import Path

from flows.console import Plain
from tasks.environment.settings import load_settings
from tasks.intake import legal_holds
from tasks.intake.submission import printable
from tasks.registry.services import Services
from tasks.store.format import check_format
from tasks.store.probe import refuse_overwriting
from unlearning.policy.counted import counted


def hold(file: Path, *, release: bool = False) -> None:
    """Place a legal hold on every subject_id that a file names, or release that file's holds.

    Requests for a held subject stay open and are looked at again in every run.

    Parameters
    ----------
    file
        File with a subject_id per row (.json, .jsonl, .csv or .parquet, each also .gz).
    release
        Remove the hold that was placed with a file of this name.
    """
    services = Services.open(load_settings())
    services.store.check()
    check_format(services.store)
    refuse_overwriting(services.store)
    name = printable(file.name)
    if release:
        legal_holds.release(services, file.name)
        said = f"Released the holds of {name}"
    else:
        placed = legal_holds.place(services, file)
        are = "is" if placed == 1 else "are"
        said = f"{counted(placed, 'row')} of {name} {are} on hold from now on"
    Plain().print(said)
