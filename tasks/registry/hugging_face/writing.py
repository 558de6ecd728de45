"""The successor of a classifier of transformers: its parent's files, with other weights in them."""

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.registry.hugging_face.own_files import ADAPTER_WEIGHTS, WEIGHTS, place_within
from tasks.registry.hugging_face.packages import quiet
from tasks.registry.hugging_face.reading import HubFiles

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    from torch import nn

log = logging.getLogger("expunge.registry")

_LEFT = (
    "%d files of the version before, %s among them, may hold weights or rows and are not in its "
    "successor; log with mlflow.transformers what a model needs."
)


class SuccessorFlavor:
    """What MLflow calls to save a model: the flavours of the parent, written by ourselves."""

    __name__ = "transformers"

    def save_model(
        self,
        path: str,
        *,
        mlflow_model: Any,
        module: "nn.Module",
        files: HubFiles,
        signature: Any,
    ) -> None:
        """Write the model into a folder that is not there yet."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for inside, data in files.others.items():
            file = folder / inside
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        if files.left:
            log.warning(_LEFT, len(files.left), files.left[0])
        write_weights(folder, module, files)
        for name, facts in files.flavors.items():
            mlflow_model.add_flavor(name, **facts)
        mlflow_model.signature = signature
        mlflow_model.save(str(folder / "MLmodel"))


def write_weights(folder: Path, module: "nn.Module", files: HubFiles) -> None:
    """Write the weights as the library does, and nothing besides; an adapter without its base.

    Raises:
        UnsupportedModelError: the flavour says that they lie outside of the folder.
    """
    inner: Any = module
    place = files.adapter or str(files.flavor["model_binary"])
    wanted = ADAPTER_WEIGHTS if files.adapter else WEIGHTS
    target = place_within(folder, place, "The version")
    scratch = folder / ".weights"
    with quiet():
        # Of an adapter the library saves what it added alone.
        inner.save_pretrained(str(scratch), safe_serialization=True)
    target.mkdir(parents=True, exist_ok=True)
    for file in scratch.rglob("*"):
        if file.is_file() and file.match(wanted):
            file.rename(target / file.name)
    shutil.rmtree(scratch)
