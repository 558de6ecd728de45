"""How a model of another library was saved, told to the process that saves its successor."""

import io
import json
from typing import Any
from zipfile import ZipFile

from tasks.registry.opaque.archive import description
from unlearning.model.opaque import OpaqueModel

_KEPT = {
    "sklearn": ("serialization_format", "skops_trusted_types"),
    "xgboost": ("model_format",),
    "lightgbm": ("serialization_format", "skops_trusted_types"),
}
"""Options of MLflow by flavour that are the same in what it writes down."""
_REQUIREMENTS, _CODE = "requirements.txt", "code/"


def saved_form(model: OpaqueModel) -> bytes:
    """Library, options, signature and requirements of the model, as JSON.

    Raises:
        MissingDataError: its files are damaged.
    """
    files = model.files.numpy().tobytes()
    found = description(files)
    form = {
        "library": model.library,
        "options": _options(model.library, found["flavors"]),
        "signature": found.get("signature"),
        "requirements": _requirements(files),
    }
    return json.dumps(form).encode()


def saved_code(model: OpaqueModel) -> dict[str, bytes]:
    """The files of its owner's own code that lie with the model, by their paths."""
    with ZipFile(io.BytesIO(model.files.numpy().tobytes())) as archive:
        return {
            name.removeprefix(_CODE): archive.read(name)
            for name in archive.namelist()
            if name.startswith(_CODE) and not name.endswith("/")
        }


def _options(library: str, flavours: Any) -> dict[str, Any]:
    own, general = flavours.get(library, {}), flavours.get("python_function", {})
    options = {name: own[name] for name in _KEPT.get(library, ()) if name in own}
    if library == "sklearn" and general.get("predict_fn"):
        options["pyfunc_predict_fn"] = general["predict_fn"]
    return options


def _requirements(files: bytes) -> list[str]:
    with ZipFile(io.BytesIO(files)) as archive:
        if _REQUIREMENTS not in archive.namelist():
            return []
        return archive.read(_REQUIREMENTS).decode().splitlines()
