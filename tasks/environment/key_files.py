"""Files of pseudonym keys: hexadecimal, with commas between several, for their owner alone."""

import contextlib
import os
import secrets
from pathlib import Path

from unlearning.errors import SettingsError
from unlearning.policy.digests import KEY_BYTES, keys_of


def keys_from_hex(text: str) -> bytes:
    """The keys of a text in a row.

    Raises:
        SettingsError: one of them is not 64 hexadecimal digits.
    """
    return b"".join(_key_from_hex(one.strip()) for one in text.split(","))


def read_or_make(path: Path) -> bytes:
    """The keys in a file; a new one if there is no such file yet."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = _fresh(path, passing())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
        _sync(path.parent)
    return keys_from_hex(path.read_text().strip())


def passing() -> str:
    """A new key that is kept nowhere, as text."""
    return secrets.token_hex(KEY_BYTES)


def write(path: Path, secret: bytes) -> None:
    """Let the file hold these keys."""
    _fresh(path, ",".join(key.hex() for key in keys_of(secret))).replace(path)
    _sync(path.parent)


def _fresh(path: Path, text: str) -> Path:
    """A file beside, whole on the disk: an empty or lost key would lock every later run out."""
    fresh = path.with_name(f"{path.stem}.{secrets.token_hex(4)}")
    opened = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(opened, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _key_from_hex(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError("EXPUNGE_PSEUDONYM_KEY must be 64 hexadecimal digits (32 bytes).")
    return key
