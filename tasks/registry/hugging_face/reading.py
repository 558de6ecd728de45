"""A classifier that was logged by `mlflow.transformers`, out of its files: none of them is code.

Weights come from safetensors alone, classes from the library alone, and nothing from its hub.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.environment.memory import memory_errors
from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.registry import downloads, recorded_files
from tasks.registry.hugging_face import own_files
from tasks.registry.hugging_face.imaging import image_form
from tasks.registry.hugging_face.own_files import ADAPTER_WEIGHTS, AGAIN, WEIGHTS
from tasks.registry.hugging_face.packages import library, quiet
from tasks.registry.hugging_face.tokenizing import TextForm, read_json, text_form
from unlearning.errors import (
    ExpungeError,
    MissingDataError,
    SettingsError,
    UnsupportedModelError,
)

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    from torch import nn

FLAVOR = "transformers"
TASKS = ("text-classification", "image-classification")
_BASE = "base model"
_CONFIG = "config.json"
_OF_BASE = (WEIGHTS, _CONFIG)
"""What is copied of a base: all of it has a digest, and nothing else is read."""
"""What is read of a base model."""


@dataclass(frozen=True, slots=True)
class HubFiles:
    """What of a version its successor takes over."""

    flavors: Mapping[str, Any]
    """The flavours of its MLmodel."""
    others: Mapping[str, bytes]
    """Its configuration, tokenizer, requirements and the like, by their paths."""
    left: tuple[str, ...]
    """Paths of files that may hold weights or rows: no successor has them."""
    text: TextForm | None
    """How it reads texts; None if it reads images."""

    @property
    def flavor(self) -> Mapping[str, Any]:
        """Its own flavour."""
        return self.flavors[FLAVOR]

    @property
    def adapter(self) -> str:
        """Folder of its adapter; empty if it has none."""
        return str(self.flavor.get("peft_adaptor") or "")


def read_classifier(
    directory: Path, flavors: Mapping[str, Any], name: str, beside: Path | None = None
) -> "tuple[nn.Module, HubFiles]":
    """The classifier in a version's files; `name` says in errors which it is.

    Args:
        directory: Those files.
        flavors: What MLflow says of it.
        name: Such as "mails version 2".
        beside: Its base, if that does not lie among the files (`base_beside`).

    Raises:
        UnsupportedModelError: it is no classifier, brings code, or its files do not hold all of it.
        SettingsError: a library that it needs is not installed.
        MissingDataError: its files are damaged.
    """
    from unlearning.model.transformers_models import TransformersClassifier

    flavor = flavors[FLAVOR]
    task = flavor.get("task")
    if task not in TASKS:
        raise UnsupportedModelError(
            f"{name} was logged for the task {task!s:.40}, and only {' and '.join(TASKS)} give "
            "class scores; enrol it as a pyfunc with a recipe, or log it for one of these."
        )
    own_files.refuse_code(directory, flavor, name)
    base = _base_folder(directory, flavor, name, beside)
    if adapter := flavor.get("peft_adaptor"):
        own_files.within(directory, str(adapter), name)
    text = text_form(directory, base, name) if task == TASKS[0] else None
    with memory_errors():
        module = _read(directory, base, flavor, name)
    files = HubFiles(flavors, *own_files.taken_over(directory), text)
    if text is not None:
        return TransformersClassifier(module.eval(), text.padding), files
    image = image_form(directory)
    return TransformersClassifier(module.eval(), normal=(image.mean, image.spread)), files


@contextmanager
def base_beside(settings: Settings, flavors: Mapping[str, Any]) -> Iterator[Path | None]:
    """A copy of a base model that lies elsewhere on this machine; None if there is none.

    Digests are taken of the copy and it alone is read, so that nobody writes between both. It is
    gone after the block. Cost: its weights on the disk, once more.
    """
    named = str(flavors.get(FLAVOR, {}).get("local_base_model_path") or "")
    place = Path(named)
    if not named or not place.is_absolute() or not place.is_dir():
        yield None
        return
    with downloads.scratch(settings) as folder:
        with translated("disk", str(folder)):
            for file in {file for one in _OF_BASE for file in place.glob(one)}:
                if file.is_file():
                    shutil.copyfile(file, folder / file.name)
        yield folder


def base_digests(base: Path | None) -> dict[str, str]:
    """SHA-256 of the files of a base model that lies beside a version's files, by their paths."""
    files = [file for one in _OF_BASE for file in base.glob(one)] if base else []
    return {
        f"{_BASE}/{file.name}": recorded_files.file_digest(file) for file in files if file.is_file()
    }


def without_base(files: Mapping[str, str]) -> dict[str, str]:
    """The files among these that are the version's own."""
    return {path: digest for path, digest in files.items() if not path.startswith(f"{_BASE}/")}


def _read(directory: Path, base: Path, flavor: Mapping[str, Any], name: str) -> Any:
    transformers = library("transformers", name)
    kind = getattr(transformers, str(flavor.get("pipeline_model_type")), None)
    if kind is None or not hasattr(kind, "from_pretrained"):
        raise UnsupportedModelError(
            f"{name} is of a class that the installed transformers does not have, so that its own "
            "code would be needed, which expunge does not run; install the version in its "
            "requirements.txt, or log a model of a class of the library."
        )
    try:
        with quiet():
            module, told = kind.from_pretrained(
                str(base),
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype="auto",
                output_loading_info=True,
            )
            missing = sorted(told["missing_keys"])
            if flavor.get("peft_adaptor"):
                module, missing = _with_adapter(directory, module, missing, flavor, name)
    except ExpungeError:
        raise
    except Exception as error:
        raise _unreadable(base, name, error) from error
    if missing:
        raise UnsupportedModelError(
            f"The files of {name} hold no weights for {missing[0]} and {len(missing) - 1} more, "
            f"which would be made up at random; {_remedy(flavor)}."
        )
    return module


def _with_adapter(
    directory: Path, base: Any, missing: list[str], flavor: Mapping[str, Any], name: str
) -> tuple[Any, list[str]]:
    """The base frozen, with the adapter on it free; which weights nobody has."""
    from safetensors.torch import load_file

    peft = library("peft", name)
    folder = own_files.within(directory, str(flavor["peft_adaptor"]), name)
    config = read_json(folder / "adapter_config.json")
    if config.get("peft_type") != "LORA" or config.get("auto_mapping"):
        raise UnsupportedModelError(
            f"{name} has an adapter of the kind {config.get('peft_type')!s:.20}, and only LoRA is "
            "known here; merge it into its base and log that, or enrol it as a pyfunc with a "
            "recipe."
        )
    module = peft.PeftModel.from_pretrained(
        base, str(folder), is_trainable=True, local_files_only=True
    )
    # A head that the adapter brings is no part of the base, whose own is made up and never asked.
    heads = {one.removeprefix("base_model.model.") for one in load_file(folder / ADAPTER_WEIGHTS)}
    made_up = dict(module.named_parameters())
    for one in heads & {*missing}:
        layer, _, tensor = one.rpartition(".")
        made_up[f"base_model.model.{layer}.original_module.{tensor}"].data.zero_()
    return module, [one for one in missing if one not in heads]


def _base_folder(
    directory: Path, flavor: Mapping[str, Any], name: str, beside: Path | None
) -> Path:
    """The folder with configuration and weights: among its files, or beside them.

    Raises:
        UnsupportedModelError: there is none.
    """
    inside = flavor.get("model_binary")
    if inside:
        return own_files.within(directory, str(inside), name)
    if beside is None:
        raise UnsupportedModelError(f"{name} does not bring its base model; {_remedy(flavor)}.")
    own_files.refuse_asking(beside, name)
    return beside


def _remedy(flavor: Mapping[str, Any]) -> str:
    if flavor.get("peft_adaptor"):
        return f"{AGAIN} and base_model_path=FOLDER, a folder with the base model on this machine"
    return f"{AGAIN}, with all of its weights"


def _unreadable(base: Path, name: str, error: Exception) -> ExpungeError:
    from safetensors import SafetensorError, safe_open

    try:
        for file in base.glob(WEIGHTS):
            if file.suffix == ".safetensors":
                with safe_open(file, "pt"):
                    pass
    except (SafetensorError, OSError):
        return MissingDataError(
            f"The files of {name} are damaged ({type(error).__name__}); restore them, or enrol "
            "another version."
        )
    return SettingsError(
        f"{name} cannot be loaded with the packages installed here ({type(error).__name__}); "
        "install those of its requirements.txt, then run again."
    )
