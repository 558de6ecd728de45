"""Which library a registered version is of, by what MLflow wrote down beside its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.foreign_errors import translated
from tasks.registry import downloads
from tasks.registry.mlflow_registry import Registry
from tasks.registry.opaque.archive import MLMODEL
from tasks.registry.opaque.scoring_process import NATIVE

_MODULES = ("pytorch", "transformers", "peft")
"""Flavours whose weights are updated themselves."""
_ANY = "python_function"


@dataclass(frozen=True, slots=True)
class VersionForm:
    """What MLflow says of a version."""

    library: str
    """The flavour by which it is asked, of another library than torch; empty if it is torch's."""
    inputs: tuple[str, ...]
    """Names of its inputs by its signature; empty if it has none."""
    are_tensors: bool = False
    """Whether these are tensors, not columns of a table."""


def library_of(flavours: Mapping[str, Any]) -> str:
    """The flavour by which a model of another library is asked; empty if it is torch's, or none."""
    if any(one in flavours for one in _MODULES):
        return ""
    return next((one for one in (*NATIVE, _ANY) if one in flavours), "")


def version_form(registry: Registry, model: str, version: int) -> VersionForm:
    """The library and inputs of a version; cost: a download of MLflow's own small file.

    Raises:
        MissingDataError: there is no such version.
    """
    from mlflow.models import Model

    with translated("MLflow"):
        place = registry.client.get_model_version_download_uri(model, str(version)).rstrip("/")
    with downloads.downloaded(registry.settings, f"{place}/{MLMODEL}") as file:
        with translated("MLflow"):
            found = Model.load(str(file))
            inputs = found.signature.inputs if found.signature else None
            named = inputs is not None and inputs.has_input_names()
            names = tuple(map(str, inputs.input_names())) if named and inputs is not None else ()
            tensors = inputs is not None and inputs.is_tensor_spec()
        return VersionForm(library_of(found.flavors), names, tensors)
