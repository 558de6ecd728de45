"""Digests of a version's files, taken and compared before anything reads what is in the files."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from unlearning.errors import ChangedWeightsError

_ROWS = ("input_example", "serving_input_example")
"""How files begin that hold rows of people: no digest of them is kept, and they are read as data
alone."""
_WRITTEN_HERE = "registered_model_meta"


def file_digests(directory: Path) -> dict[str, str]:
    """SHA-256 of every file of a version by its path, but for its input example.

    Cost: one pass over its bytes.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        path.relative_to(directory).as_posix(): file_digest(path)
        for path in files
        if not is_left_out(path.name)
    }


def is_left_out(name: str) -> bool:
    """Whether a file of this name holds rows, or was written on the way here."""
    return name.startswith(_ROWS) or name == _WRITTEN_HERE


def refuse_changed(found: Mapping[str, str], recorded: Mapping[str, str], name: str) -> None:
    """Refuse files that are not those on record; `name` says in the error whose they are.

    Raises:
        ChangedWeightsError: a file was changed, added or removed.
    """
    changed = sorted(
        path for path in found.keys() | recorded.keys() if found.get(path) != recorded.get(path)
    )
    if changed:
        raise ChangedWeightsError(
            f"{len(changed)} files of {name}, {changed[0]} among them, are not those that were "
            "enrolled; find out who writes to MLflow's artifacts, and restore them, or enrol the "
            "model again."
        )


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
