"""What a model is made of, as far as it says whether and how it can be trained anew."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from torch import fx, nn

from unlearning.model.adapted import inner_of
from unlearning.model.forward import is_exported
from unlearning.model.opaque import OpaqueModel
from unlearning.model.transformers_models import is_of_transformers

Form = Literal["exported", "pickled", "safetensors", "opaque"]
_MODES = ("batch_norm", "dropout")
_DROPOUTS = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)
_NORMS = (
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    nn.SyncBatchNorm,
    nn.InstanceNorm1d,
    nn.InstanceNorm2d,
    nn.InstanceNorm3d,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelForm:
    """A model as a person would describe it."""

    form: Form
    """Whether it was exported by `torch.export`, is a module with its own code, is a class of
    transformers with weights from safetensors, or a model of another library that nobody looks
    into."""
    architecture: str
    """Name of its class."""
    parameters: int
    """Numbers that it learned, those of frozen layers among them; shared ones count once."""
    trainable: int
    """Those among them that an update may move."""
    layers: dict[str, int]
    """How often it has each kind of layer, or of operation if it was exported; kinds that hold
    others are left out."""
    mode_layers: tuple[str, ...]
    """Kinds of layers that act otherwise in training, such as dropout."""
    tied: tuple[str, ...]
    """Weights that are those of another layer, by their names."""


def model_form(model: nn.Module) -> ModelForm:
    """What the model is made of; no pass through it. Cost: a walk over its layers."""
    code: Form = "safetensors" if is_of_transformers(model) else "pickled"
    model = inner_of(model)
    if isinstance(model, OpaqueModel):
        return _opaque_form(model)
    exported = is_exported(model)
    free = [v for v in model.parameters() if v.requires_grad or exported]
    return ModelForm(
        form="exported" if exported else code,
        architecture="exported program" if exported else type(model).__name__,
        parameters=sum(value.numel() for value in model.parameters()),
        trainable=sum(value.numel() for value in free),
        layers=dict(Counter(_operations(model) if exported else _layers(model))),
        mode_layers=tuple(sorted(set(_exported_modes(model) if exported else _modes(model)))),
        tied=tuple(_tied(model)),
    )


def _opaque_form(model: OpaqueModel) -> ModelForm:
    return ModelForm(
        form="opaque",
        architecture=model.library,
        parameters=0,
        trainable=0,
        layers={},
        mode_layers=(),
        tied=(),
    )


def _layers(model: nn.Module) -> Iterator[str]:
    for layer in model.modules():
        if not any(True for _ in layer.children()):
            yield type(layer).__name__


def _operations(model: nn.Module) -> Iterator[str]:
    for node in cast("fx.GraphModule", model).graph.nodes:
        if node.op == "call_function":
            yield str(node.target).removeprefix("aten.").partition(".")[0]


def _modes(model: nn.Module) -> Iterator[str]:
    for layer in model.modules():
        rate = layer.p if isinstance(layer, _DROPOUTS) else getattr(layer, "dropout", 0.0)
        if isinstance(rate, float) and rate > 0:
            yield "dropout"
        if isinstance(layer, _NORMS) and layer.track_running_stats:
            yield "batch norm"


def _exported_modes(model: nn.Module) -> Iterator[str]:
    for operation in _operations(model):
        yield from (mode.replace("_", " ") for mode in _MODES if mode in operation)


def _tied(model: nn.Module) -> Iterator[str]:
    seen: set[int] = set()
    for name, value in model.named_parameters(remove_duplicate=False):
        if id(value) in seen:
            yield name
        seen.add(id(value))
