"""The files of model versions: load them in their safe form, log new ones alike."""

import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import PROTO, UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from tasks.environment.memory import memory_errors
from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.registry import downloads
from tasks.registry.mlflow_registry import RETIRED_TAG, Registry
from unlearning.errors import (
    ExpungeError,
    MissingDataError,
    ModelError,
    SettingsError,
    UnsupportedModelError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    import numpy as np
    from torch import nn


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model version in memory, with what is needed to log its successor in the same form."""

    module: "nn.Module"
    is_exported: bool
    signature: Any
    example: Any
    requirements: tuple[str, ...] | None
    """Lines of its requirements.txt; None if it has none."""
    code: dict[str, bytes]
    """The files of its own code, by their paths."""


def load_model(
    registry: Registry,
    model: str,
    version: int,
    *,
    trust_pickle: bool = False,
    is_parent: bool = False,
) -> LoadedModel:
    """Load a version that was logged by `mlflow.pytorch`, in its safe form unless trusted.

    `is_parent` says that an attempt under way needs it, be it retired meanwhile or not.

    Raises:
        ModelError: it is retired, since it remembers erased people.
        UnsupportedModelError: it has no PyTorch flavor, or is pickled and not trusted.
        SettingsError: it cannot be loaded with the packages that are installed here.
        MissingDataError: there is no such version, or its files are gone or damaged.
    """
    if not is_parent:
        _refuse_retired(registry, model, version)
    with downloads.downloaded(registry.settings, f"models:/{model}/{version}") as directory:
        return _load(directory, f"{model} version {version}", trust_pickle=trust_pickle)


def _load(directory: Path, name: str, *, trust_pickle: bool) -> LoadedModel:
    """The model in these files, which it does not need any more afterwards."""
    import mlflow

    with translated("MLflow"):
        info = mlflow.models.Model.load(str(directory))
    if "pytorch" not in info.flavors:
        raise UnsupportedModelError(
            f"{name} was not logged by mlflow.pytorch; log it again with it."
        )
    is_exported = any(directory.rglob("*.pt2"))
    if not is_exported and not trust_pickle:
        raise UnsupportedModelError(
            f"{name} is pickled, and loading it runs code from the registry; "
            "log it in MLflow's pt2 form, or enrol it with --trust-pickle."
        )
    with _pickle_allowed(trust_pickle), translated("MLflow"):
        module = read_module(directory, name)
    example = info.load_input_example(str(directory)) if info.saved_input_example_info else None
    requirements = directory / "requirements.txt"
    return LoadedModel(
        module,
        is_exported,
        info.signature,
        example,
        tuple(requirements.read_text().splitlines()) if requirements.exists() else None,
        _code(directory / "code"),
    )


def _code(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def read_module(directory: Path, name: str) -> "nn.Module":
    """The module that MLflow loads from a version's files; `name` says in errors which it is.

    Raises:
        MissingDataError: the files are damaged.
        SettingsError: they are whole, but need packages that are not installed here.
    """
    import mlflow

    try:
        with memory_errors():
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


def _refuse_retired(registry: Registry, model: str, version: int) -> None:
    tags = registry.version_tags(model, version)
    if RETIRED_TAG in tags:
        raise ModelError(
            f"{model} version {version} is retired, because it remembers erased people; use the "
            "version under the serving alias, or enrol one that was trained without them."
        )


@contextmanager
def _pickle_allowed(allowed: bool) -> Iterator[None]:
    name = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
    before = os.environ.get(name, "false")
    os.environ[name] = "true" if allowed else before
    try:
        yield
    finally:
        os.environ[name] = before


@contextmanager
def _examples_unsaid() -> Iterator[None]:
    """A block in which MLflow does not print an input example that it could not try.

    It is a row of somebody's.
    """
    logger = logging.getLogger("mlflow.models.model")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def log_successor(
    settings: Settings, run_id: str, original: LoadedModel, module: "nn.Module", example: Any
) -> str:
    """Log a model in the form, signature and requirements of the original; returns its URI."""
    import mlflow

    # MLflow tries what it logged; a pickled model was trusted when it was loaded.
    with (
        downloads.scratch(settings) as folder,
        downloads.temporary_files_here(settings),
        _pickle_allowed(not original.is_exported),
        _examples_unsaid(),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = mlflow.pytorch.log_model(
            module,
            name="model",
            signature=original.signature,
            input_example=example,
            serialization_format="pt2" if original.is_exported else "pickle",
            pip_requirements=None if original.requirements is None else [*original.requirements],
            code_paths=_written(original.code, folder) or None,
        )
    return info.model_uri


def _written(code: dict[str, bytes], folder: Path) -> list[str]:
    for name, data in code.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return [str(path) for path in sorted(folder.iterdir())]


def log_new(settings: Settings, run_id: str, module: "nn.Module", example: "np.ndarray") -> str:
    """Log a freshly trained model in the safe pt2 form; returns its URI."""
    import mlflow
    import torch
    from mlflow.models import infer_signature

    outputs = module.eval()(torch.from_numpy(example)).detach().numpy()
    with (
        downloads.temporary_files_here(settings),
        _examples_unsaid(),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = mlflow.pytorch.log_model(
            module,
            name="model",
            signature=infer_signature(example, outputs),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
        )
    return info.model_uri
