"""MLflow's registry: load a version, register a candidate with its lineage, move an alias."""

import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pickle import PROTO, UnpicklingError
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from tasks.boundary import translated
from tasks.memory import memory_errors
from tasks.settings import load_settings
from unlearning.errors import (
    ConflictError,
    ExpungeError,
    MissingDataError,
    ModelError,
    SettingsError,
    TransientError,
    UnreachableError,
    UnsupportedModelError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    import numpy as np
    from torch import nn

AUDIT_EXPERIMENT = "expunge-audit"
TRAINING_EXPERIMENT = "expunge-training"
EFFECT_TAG = "expunge.effect"
RETIRED_TAG = "expunge.retired"


@cache
def client() -> Any:
    """The MLflow client of this process."""
    from mlflow import MlflowClient

    settings = load_settings()
    if not settings.mlflow_tracking_uri:
        settings.home.mkdir(parents=True, exist_ok=True)
    return MlflowClient(tracking_uri=settings.tracking_uri, registry_uri=settings.tracking_uri)


def check_registry() -> None:
    """Raise UnreachableError unless MLflow answers."""
    try:
        with translated("MLflow"):
            client().search_registered_models(max_results=1)
    except TransientError as error:
        raise UnreachableError(
            f"MLflow at {load_settings().tracking_uri} does not answer; start it or change "
            "EXPUNGE_MLFLOW_TRACKING_URI."
        ) from error


def experiment_id(name: str) -> str:
    """The experiment of this name, created if need be."""
    with translated("MLflow"):
        found = client().get_experiment_by_name(name)
        if found is not None:
            return found.experiment_id
        return client().create_experiment(name, artifact_location=_below_artifacts(name))


def _below_artifacts(name: str) -> str | None:
    location = load_settings().artifact_location
    return f"{location}/{name}" if location else None


def alias_version(model: str) -> int | None:
    """The version that the serving alias points to; None when nothing holds it."""
    with translated("MLflow"):
        aliases = client().get_registered_model(model).aliases
    version = aliases.get(load_settings().alias)
    return None if version is None else int(version)


def move_alias(model: str, *, parent: int, version: int) -> None:
    """Point the serving alias from `parent` to `version`.

    Raises:
        ConflictError: somebody moved the alias since the parent was read.
    """
    current = alias_version(model)
    if current not in (parent, version):
        raise ConflictError(
            f"The alias {load_settings().alias!r} of {model} was moved to version {current} "
            f"meanwhile; run again to unlearn from that version."
        )
    with translated("MLflow"):
        client().set_registered_model_alias(model, load_settings().alias, str(version))


def drop_alias(model: str) -> None:
    """Take the serving alias away from whichever version holds it."""
    with translated("MLflow"):
        client().delete_registered_model_alias(model, load_settings().alias)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model version in memory, with what is needed to log its successor in the same form."""

    module: "nn.Module"
    is_exported: bool
    directory: Path
    signature: Any
    example: Any


def load_model(
    model: str, version: int, *, trust_pickle: bool = False, is_parent: bool = False
) -> LoadedModel:
    """Load a version that was logged by `mlflow.pytorch`, in its safe form unless trusted.

    `is_parent` says that an attempt under way needs it, be it retired meanwhile or not.

    Raises:
        ModelError: it is retired, since it remembers erased people.
        UnsupportedModelError: it has no PyTorch flavor, or is pickled and not trusted.
        SettingsError: it cannot be loaded with the packages that are installed here.
        MissingDataError: there is no such version, or its files are gone or damaged.
    """
    import mlflow

    if not is_parent:
        _refuse_retired(model, version)
    uri = f"models:/{model}/{version}"
    with translated("MLflow"):
        directory = Path(mlflow.artifacts.download_artifacts(uri))
        info = mlflow.models.Model.load(str(directory))
    if "pytorch" not in info.flavors:
        raise UnsupportedModelError(
            f"{model} version {version} was not logged by mlflow.pytorch; log it again with it."
        )
    is_exported = any(directory.rglob("*.pt2"))
    if not is_exported and not trust_pickle:
        raise UnsupportedModelError(
            f"{model} version {version} is pickled, and loading it runs code from the registry; "
            "log it in MLflow's pt2 form, or enrol it with --trust-pickle."
        )
    with _pickle_allowed(trust_pickle), translated("MLflow"):
        module = _read_module(directory, f"{model} version {version}")
    example = info.load_input_example(str(directory)) if info.saved_input_example_info else None
    return LoadedModel(module, is_exported, directory, info.signature, example)


def _read_module(directory: Path, name: str) -> "nn.Module":
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


def _refuse_retired(model: str, version: int) -> None:
    with translated("MLflow"):
        tags = client().get_model_version(model, str(version)).tags
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


def log_successor(run_id: str, original: LoadedModel, module: "nn.Module", example: Any) -> str:
    """Log a model in the form, signature and requirements of the original; returns its URI."""
    import mlflow

    code = original.directory / "code"
    requirements = original.directory / "requirements.txt"
    with translated("MLflow"), mlflow.start_run(run_id=run_id):
        info = mlflow.pytorch.log_model(
            module,
            name="model",
            signature=original.signature,
            input_example=example,
            serialization_format="pt2" if original.is_exported else "pickle",
            pip_requirements=str(requirements) if requirements.exists() else None,
            code_paths=[str(p) for p in code.iterdir()] if code.is_dir() else None,
        )
    return info.model_uri


def log_new(run_id: str, module: "nn.Module", example: "np.ndarray") -> str:
    """Log a freshly trained model in the safe pt2 form; returns its URI."""
    import mlflow
    import torch
    from mlflow.models import infer_signature

    outputs = module.eval()(torch.from_numpy(example)).detach().numpy()
    with translated("MLflow"), mlflow.start_run(run_id=run_id):
        info = mlflow.pytorch.log_model(
            module,
            name="model",
            signature=infer_signature(example, outputs),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
        )
    return info.model_uri


def create_version(model: str, source: str, run_id: str, tags: Mapping[str, str]) -> None:
    """Register a logged model; its tags, our effect key among them, come in the same call.

    Its id goes along, because a tracking server refuses a source that it cannot place.
    """
    logged = source.removeprefix("models:/")
    with translated("MLflow"):
        if not client().search_registered_models(f"name = '{quoted(model)}'"):
            client().create_registered_model(model)
        client().create_model_version(
            model, source, run_id=run_id, tags=dict(tags), model_id=logged
        )


def find_version(model: str, effect: str) -> int | None:
    """The version that carries this effect key; the lowest, should a re-sent call have made two."""
    with translated("MLflow"):
        found = client().search_model_versions(
            f"name = '{quoted(model)}' and tags.`{EFFECT_TAG}` = '{effect}'"
        )
    return min((int(v.version) for v in found), default=None)


def tag_version(model: str, version: int, tags: Mapping[str, str]) -> None:
    """Set tags on a model version."""
    with translated("MLflow"):
        for name, value in tags.items():
            client().set_model_version_tag(model, str(version), name, value)


def version_tags(model: str, version: int) -> dict[str, str]:
    """The tags of a model version."""
    with translated("MLflow"):
        return dict(client().get_model_version(model, str(version)).tags)


def find_run(experiment: str, effect: str) -> str | None:
    """The run that carries this effect key."""
    with translated("MLflow"):
        found = client().search_runs(
            [experiment_id(experiment)], f"tags.`{EFFECT_TAG}` = '{effect}'", max_results=1
        )
    return found[0].info.run_id if found else None


def ensure_run(experiment: str, effect: str, name: str) -> str:
    """The run of this effect key, created with it if need be."""
    found = find_run(experiment, effect)
    if found is not None:
        return found
    with translated("MLflow"):
        run = client().create_run(
            experiment_id(experiment), run_name=name, tags={EFFECT_TAG: effect}
        )
    return run.info.run_id


def quoted(name: str) -> str:
    """The name as it stands between quotes in a search of MLflow's."""
    return name.replace("'", "\\'")


def logged_model_id(model: str, version: int) -> str | None:
    """The id of the logged model behind a version; None for versions of another making."""
    with translated("MLflow"):
        source = client().get_model_version(model, str(version)).source or ""
    name = source.rstrip("/").rpartition("/")[2]
    return name if name.startswith("m-") else None


def set_alias(model: str, version: int) -> None:
    """Point the serving alias to a version, whatever it pointed to before."""
    with translated("MLflow"):
        client().set_registered_model_alias(model, load_settings().alias, str(version))
