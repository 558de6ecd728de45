"""Torch modules out of the files of a version, and the pickles among them."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import PROTO, UnpicklingError
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from tasks.environment.memory import memory_errors
from tasks.registry import exported_archives, trial
from unlearning.errors import (
    ExpungeError,
    MissingDataError,
    SettingsError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    from torch import nn


def read_module(
    directory: Path, name: str, *, may_hold_code: bool = False, is_new: bool = False
) -> "nn.Module":
    """The module that MLflow loads from a version's files; `name` says in errors which it is.

    What is exported is looked through for code. If it `is_new`, it is tried in confinement, but for
    what this process exported itself.

    Raises:
        UnsupportedModelError: code is hidden in an exported program.
        MissingDataError: the files are damaged.
        SettingsError: they are whole, but need packages that are not installed here.
    """
    import mlflow

    try:
        with memory_errors():
            for file in [] if may_hold_code else directory.rglob("*.pt2"):
                exported_archives.refuse_code(file, name)
                if is_new and not trial.is_exported_here(file):
                    trial.try_load(file, name)
            return mlflow.pytorch.load_model(str(directory), map_location="cpu")
    except (ExpungeError, OSError):
        raise
    except Exception as error:
        if not all(_is_whole(file, error) for file in _weights(directory)):
            raise MissingDataError(
                f"The files of {name} are damaged ({type(error).__name__}); restore them, or enrol "
                "another version."
            ) from error
        # This machine's fault, not the model's, which must not lose its alias for it.
        raise SettingsError(
            f"{name} cannot be loaded with the packages installed here ({type(error).__name__}); "
            "install those of its requirements.txt, or log the model again, with code_paths if it "
            "has code of its own, then run again."
        ) from error


def _weights(directory: Path) -> Iterator[Path]:
    for pattern in ("*.pt2", "*.pth"):
        yield from directory.rglob(pattern)


def _is_whole(file: Path, error: Exception) -> bool:
    """Whether a file that did not load has every byte it was written with, as far as it can tell.

    Both forms are zip archives with checksums; pickles of old releases of torch have none.
    """
    try:
        with ZipFile(file) as archive:
            return archive.testzip() is None
    except (BadZipFile, zlib.error, EOFError):
        with file.open("rb") as begun:
            is_pickle = begun.read(1) == PROTO
        return is_pickle and not isinstance(error, (EOFError, UnpicklingError))


@contextmanager
def pickle_allowed(allowed: bool) -> Iterator[None]:
    """A block in which MLflow unpickles models if that is allowed, or as the environment has it."""
    name = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
    before = os.environ.get(name, "false")
    os.environ[name] = "true" if allowed else before
    try:
        yield
    finally:
        os.environ[name] = before
