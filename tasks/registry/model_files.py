"""The files of model versions: compared with their record, looked through, and loaded."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_model
from tasks.registry import downloads, recorded_files
from tasks.registry.hugging_face.reading import (
    FLAVOR,
    HubFiles,
    base_beside,
    base_digests,
    read_classifier,
    without_base,
)
from tasks.registry.mlflow_registry import RETIRED_TAG, Registry
from tasks.registry.modules import pickle_allowed, read_module
from tasks.registry.opaque.archive import packed
from tasks.registry.opaque.asked import Asked, asked_of
from tasks.registry.opaque.flavours import library_of
from tasks.registry.services import Services
from unlearning.config.model_interface import PLAIN, ModelInterface
from unlearning.errors import (
    ModelError,
    UnsupportedModelError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    from torch import nn


log = logging.getLogger("expunge.model_files")

_EXTRA = "extra_files"


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
    extra: dict[str, bytes] = field(default_factory=dict)
    """Files that were logged beside it, by their paths."""
    hub: HubFiles | None = None
    """What else its files hold, if it is a model of transformers."""

    def behind(self, interface: ModelInterface) -> "LoadedModel":
        """The same behind an interface."""
        from unlearning.model.adapted import adapted

        return replace(self, module=adapted(self.module, interface))


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
        interface=enrollment.interface,
        asked=asked_of(services.settings, enrollment) if enrollment.dataset.types else None,
    )


def load_model(
    registry: Registry,
    model: str,
    version: int,
    *,
    trust: Trust = Trust(),
    recorded: Mapping[str, str] | None = None,
    is_parent: bool = False,
    interface: ModelInterface = PLAIN,
    asked: Asked | None = None,
) -> LoadedModel:
    """Load a version that was logged by `mlflow.pytorch` or `mlflow.transformers`.

    It stands behind an interface if it needs one. Its files are first compared with the digests
    `recorded` of them, if there are any. What is exported is looked through for code, and tried in
    confinement if it is not on record; what is pickled is refused. Either may be trusted
    instead, but not for models of transformers, which are read as data. A model of another library
    is no more than its files here, if it is said how it is `asked`.
    `is_parent` says that an attempt under way needs it, be it retired meanwhile or not.

    Raises:
        ModelError: it is retired, since it remembers erased people.
        ChangedWeightsError: its files are not those on record.
        UnsupportedModelError: it has no flavor that is known, or could run code and is not trusted.
        SettingsError: it cannot be loaded with the packages that are installed here.
        MissingDataError: there is no such version, or its files are gone or damaged.
    """
    import mlflow

    if not is_parent:
        _refuse_retired(registry, model, version)
    with downloads.downloaded(registry.settings, f"models:/{model}/{version}") as directory:
        name = f"{model} version {version}"
        files = recorded_files.file_digests(directory)
        if recorded:
            recorded_files.refuse_changed(files, without_base(recorded), name)
        with translated("MLflow"):
            info = mlflow.models.Model.load(str(directory))
        with base_beside(registry.settings, info.flavors) as base:
            files |= base_digests(base)
            if recorded:
                recorded_files.refuse_changed(files, recorded, name)
            if asked is not None:
                found = _load_opaque(registry.settings, directory, info, files, asked)
            elif FLAVOR in info.flavors:
                found = _load_hub(directory, name, info, files, base)
            else:
                found = _load(directory, name, trust, info, files, is_new=not recorded)
    return found if interface.is_plain else found.behind(interface)


def _load(
    directory: Path, name: str, trust: Trust, info: Any, files: dict[str, str], *, is_new: bool
) -> LoadedModel:
    """The model in these files, which it does not need any more afterwards."""
    if "pytorch" not in info.flavors:
        raise UnsupportedModelError(
            f"{name} was not logged by mlflow.pytorch or mlflow.transformers; log it again with "
            "one of them.",
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
    return LoadedModel(
        module,
        is_exported,
        info.signature,
        example,
        _requirements(directory),
        _code(code),
        files,
        {f"{_EXTRA}/{name}": data for name, data in _code(directory / _EXTRA).items()},
    )


def _load_hub(
    directory: Path, name: str, info: Any, files: dict[str, str], base: Path | None
) -> LoadedModel:
    """The classifier of transformers in these files; its examples are texts, which nobody needs."""
    module, hub = read_classifier(directory, info.flavors, name, base)
    return LoadedModel(
        module,
        False,
        info.signature,
        None,
        _requirements(directory),
        {},
        files,
        hub=hub,
    )


def _load_opaque(
    settings: Settings, directory: Path, info: Any, files: dict[str, str], asked: Asked
) -> LoadedModel:
    from tasks.registry.opaque.scoring import opaque_model

    module = opaque_model(settings, packed(directory), asked, library_of(info.flavors))
    return LoadedModel(module, False, info.signature, None, _requirements(directory), {}, files)


def _requirements(directory: Path) -> tuple[str, ...] | None:
    file = directory / "requirements.txt"
    return tuple(file.read_text().splitlines()) if file.exists() else None


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


def _refuse_retired(registry: Registry, model: str, version: int) -> None:
    tags = registry.version_tags(model, version)
    if RETIRED_TAG in tags:
        raise ModelError(
            f"{model} version {version} is retired, because it remembers erased people; use the "
            "version under the serving alias, or enrol one that was trained without them."
        )
