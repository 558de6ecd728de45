"""Files of models on this machine's disk: below one folder of ours, and only while they are used.

A folder holds a lock of the operating system for as long as its process lives. What a killed one
left behind has no lock any more, so the next start removes it.
"""

import fcntl
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated

log = logging.getLogger("expunge.downloads")

_LOCK = ".lock"


@contextmanager
def downloaded(settings: Settings, uri: str) -> Iterator[Path]:
    """The files of a model, or one of them, by their MLflow address; gone after the block.

    Files that lie on this machine already are copied, too, so that nobody writes between them.
    """
    import mlflow

    with scratch(settings) as folder:
        with translated("MLflow"):
            found = mlflow.artifacts.download_artifacts(uri, dst_path=str(folder))
        yield Path(found)


@contextmanager
def temporary_files_here(settings: Settings) -> Iterator[None]:
    """A block in which whatever MLflow writes to temporary files lies below our own folder."""
    with scratch(settings) as folder:
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


@contextmanager
def scratch(settings: Settings) -> Iterator[Path]:
    """A folder that nobody else can read, gone after the block whatever happens in it."""
    place = _place(settings)
    with translated("disk", str(place)):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock, held = _locked(place)
        folder = lock.with_suffix("")
        folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        _remove(folder, lock)
        os.close(held)


def remove_leftovers(settings: Settings) -> int:
    """Delete what killed processes left behind; returns how many folders it was.

    What cannot be deleted is told and left to the next start.
    """
    count = 0
    for lock in _place(settings).glob(f"*{_LOCK}"):
        with suppress(OSError):  # another start was quicker, or may not read it
            held = os.open(lock, os.O_RDWR)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                count += lock.with_suffix("").exists()
                _remove(lock.with_suffix(""), lock)
            finally:
                os.close(held)
    if count:
        log.warning("Removed %d folders of model files that a killed run left behind", count)
    return count


def _place(settings: Settings) -> Path:
    return settings.home.resolve() / "downloads"


def _locked(place: Path) -> tuple[Path, int]:
    """A new lock file and its open descriptor, which holds it until it is closed."""
    while True:
        lock = place / f"{secrets.token_hex(8)}{_LOCK}"
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        if lock.exists():
            return lock, held
        os.close(held)  # a start took the file, not locked yet, for a leftover


def _remove(folder: Path, lock: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        log.error(
            "ALARM: %s holds files of a model and cannot be removed; delete the folder.", folder
        )
        return
    lock.unlink(missing_ok=True)
