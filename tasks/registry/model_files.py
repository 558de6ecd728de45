"""The files of model versions: compared with their record, looked through, and loaded."""

import logging
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import PROTO, UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from tasks.environment.memory import memory_errors
from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_model
from tasks.registry import downloads, exported_archives, recorded_files, trial
from tasks.registry.mlflow_registry import RETIRED_TAG, Registry
from tasks.registry.services import Services
from unlearning.errors import (
    ExpungeError,
    MissingDataError,
    ModelError,
    SettingsError,
    UnsupportedModelError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    from torch import nn


log = logging.getLogger("expunge.model_files")


@dataclass(frozen=True, slots=True)
class Trust:
    """What somebody answered for when the model was enrolled."""

    pickle: bool = False
    """It may be pickled, so that loading it runs code, its own folder of code included."""
    code: bool = False
    """An exported model may bring code and operators of its own."""


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
    files: dict[str, str]
    """Digests of its files, by their paths."""


def load_enrolled(
    services: Services, enrollment: Enrollment, version: int, *, is_parent: bool = False
) -> LoadedModel:
    """Load a version of an enrolled model as `load_model` does, if its files are those on record.

    Raises:
        ChangedWeightsError: they are others.
    """
    recorded = read_model(services.journal, enrollment.model).weights.files.get(version, {})
    if not recorded:
        log.debug("No digests of the files of %s version %d", enrollment.model, version)
    return load_model(
        services.registry,
        enrollment.model,
        version,
        trust=Trust(enrollment.trust_pickle, enrollment.trust_code),
        recorded=recorded,
        is_parent=is_parent,
    )


def load_model(
    registry: Registry,
    model: str,
    version: int,
    *,
    trust: Trust = Trust(),
    recorded: Mapping[str, str] | None = None,
    is_parent: bool = False,
) -> LoadedModel:
    """Load a version that was logged by `mlflow.pytorch`.

    Its files are first compared with the digests `recorded` of them, if there are any. What is
    exported is looked through for code, and tried in confinement if it was never on record; what is
    pickled is refused. Either may be trusted instead.
    `is_parent` says that an attempt under way needs it, be it retired meanwhile or not.

    Raises:
        ModelError: it is retired, since it remembers erased people.
        ChangedWeightsError: its files are not those on record.
        UnsupportedModelError: it has no PyTorch flavor, or could run code and is not trusted.
        SettingsError: it cannot be loaded with the packages that are installed here.
        MissingDataError: there is no such version, or its files are gone or damaged.
    """
    if not is_parent:
        _refuse_retired(registry, model, version)
    with downloads.downloaded(registry.settings, f"models:/{model}/{version}") as directory:
        name = f"{model} version {version}"
        files = recorded_files.file_digests(directory)
        if recorded:
            recorded_files.refuse_changed(files, recorded, name)
        return _load(directory, name, trust, files, is_new=recorded is None)


def _load(
    directory: Path, name: str, trust: Trust, files: dict[str, str], *, is_new: bool
) -> LoadedModel:
    """The model in these files, which it does not need any more afterwards."""
    import mlflow

    with translated("MLflow"):
        info = mlflow.models.Model.load(str(directory))
    if "pytorch" not in info.flavors:
        raise UnsupportedModelError(
            f"{name} was not logged by mlflow.pytorch; log it again with it.",
            line="mlflow.pytorch.log_model(module, name='model', registered_model_name=…)",
        )
    is_exported = _is_exported(directory, info.flavors["pytorch"], name)
    code = directory / "code"
    if not is_exported and not trust.pickle:
        raise UnsupportedModelError(
            f"{name} is pickled, and loading it runs code from the registry; "
            "log it in MLflow's pt2 form, or enrol it with --trust-pickle.",
            line="--trust-pickle",
        )
    if is_exported and not trust.code and (code.exists() or info.flavors["pytorch"].get("code")):
        raise UnsupportedModelError(
            f"{name} brings code of its own, which runs when it is loaded; log it without "
            "code_paths, or enrol it with --trust-code.",
            line="--trust-code",
        )
    with pickle_allowed(trust.pickle), translated("MLflow"):
        may_hold_code = not is_exported or trust.code
        module = read_module(directory, name, may_hold_code=may_hold_code, is_new=is_new)
    example = info.load_input_example(str(directory)) if info.saved_input_example_info else None
    requirements = directory / "requirements.txt"
    return LoadedModel(
        module,
        is_exported,
        info.signature,
        example,
        tuple(requirements.read_text().splitlines()) if requirements.exists() else None,
        _code(code),
        files,
    )


def _is_exported(directory: Path, flavor: Mapping[str, Any], name: str) -> bool:
    """Whether MLflow will load an exported program, and not a pickle that lies beside one."""
    data = (directory / str(flavor.get("model_data", "data"))).resolve()
    if not data.is_relative_to(directory.resolve()):
        raise UnsupportedModelError(
            f"{name} names files outside of its own folder; log it again with mlflow.pytorch."
        )
    return data.is_dir() and not (data / "model.pth").exists() and any(data.glob("*.pt2"))


def _code(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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


def _refuse_retired(registry: Registry, model: str, version: int) -> None:
    tags = registry.version_tags(model, version)
    if RETIRED_TAG in tags:
        raise ModelError(
            f"{model} version {version} is retired, because it remembers erased people; use the "
            "version under the serving alias, or enrol one that was trained without them."
        )


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
