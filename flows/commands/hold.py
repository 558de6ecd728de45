"""`expunge hold`: place or release legal holds."""

from pathlib import Path

from rich.console import Console

from tasks.holds import PREFIX
from tasks.object_store import open_store
from tasks.submission import printable, submit_file


def hold(file: Path, *, release: bool = False) -> None:
    """Place a legal hold on every subject_id that a file names, or release that file's holds.

    Requests for a held subject stay open and are looked at again in every run.

    Parameters
    ----------
    file
        File with a subject_id per row (.json, .jsonl, .csv with request_id and subject_id).
    release
        Remove the hold that was placed with a file of this name.
    """
    store = open_store()
    store.check()
    if release:
        store.delete(PREFIX + file.name)
        said = f"Released the holds of {printable(file.name)}"
    else:
        said = submit_file(store, file, PREFIX)
    Console().print(said, highlight=False, markup=False)  # a name may look like Rich's markup
