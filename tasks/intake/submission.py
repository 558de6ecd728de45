"""Bring files from the local disk into the request store."""

from pathlib import Path

from tasks.intake.request_files import parse
from tasks.registry.services import Services
from unlearning.errors import RequestError, SettingsError


def submit_file(services: Services, path: Path, prefix: str) -> str:
    """Store a file below `prefix` under its own name; returns one sentence on what was stored.

    A file that cannot be read is stored too: the run quarantines it with its reason, so that the
    sender can be answered.

    Raises:
        SettingsError: there is no such file, or another content lies under its name already.
    """
    data = read_local(path)
    store_new(services, prefix, path, data)
    try:
        found = f"{len(parse(path.name, data))} rows"
    except RequestError as error:
        found = f"will be quarantined: file {error}"
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
