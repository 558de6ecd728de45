"""`expunge hold`: place or release legal holds."""

from pathlib import Path

from rich.console import Console

from tasks import holds
from tasks.object_store import open_store
from tasks.submission import printable


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
    store = open_store()
    store.check()
    name = printable(file.name)
    if release:
        holds.release(store, file.name)
        said = f"Released the holds of {name}"
    else:
        said = f"{holds.place(store, file)} rows of {name} are on hold from now on"
    Console().print(said, highlight=False, markup=False)  # a name may look like Rich's markup
