"""Bring files from the local disk into the request store."""

from pathlib import Path

from tasks.intake.csv_rows import CUT
from tasks.intake.request_files import RawRow, parse
from tasks.registry.services import Services
from unlearning.errors import RequestError, SettingsError
from unlearning.policy.counted import counted


def submit_file(services: Services, path: Path, prefix: str) -> str:
    """Store a file below `prefix` under its own name; returns one sentence on what was stored.

    A file that cannot be read is stored too: the run quarantines it with its reason, so that the
    sender can be answered.

    Raises:
        SettingsError: there is no such file, its last line may be cut, or another content lies
            under its name already.
    """
    data = read_local(path)
    try:
        rows = parse(path.name, data)
    except RequestError as error:
        found = f"will be quarantined: file {error}"
    else:
        refuse_cut(path, rows)
        found = counted(len(rows), "row")
    store_new(services, prefix, path, data)
    return f"Stored {printable(path.name)} in {services.store.uri}/{prefix} ({found})"


def read_local(path: Path) -> bytes:
    """The bytes of a local file.

    Raises:
        SettingsError: there is no such file, or it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"{printable(str(path))} cannot be read ({error.strerror}); check its path."
        ) from error


def refuse_cut(path: Path, rows: list[RawRow]) -> None:
    """Take no file whose last line may be cut: nobody but its sender knows whether it is whole.

    Raises:
        SettingsError: its last line has no line end.
    """
    if rows[-1].problem == CUT:
        raise SettingsError(
            f"{printable(path.name)} ends without a line end, so its last line may be cut; end it, "
            "and give the file again."
        )


def store_new(services: Services, prefix: str, path: Path, data: bytes) -> None:
    """Store the bytes below `prefix` under the file's own name.

    Raises:
        SettingsError: another content lies there already.
    """
    if not services.store.put_if_absent(prefix + path.name, data):
        raise SettingsError(
            f"Another file named {printable(path.name)} was submitted before; rename this one and "
            "try again."
        )


def printable(name: str) -> str:
    """The name with what would steer a terminal, or hide in it, spelled out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
