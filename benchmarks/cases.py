"""What is measured: a data set, an architecture and its training, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from benchmarks.architectures import lenet5, resnet, vgg19
from benchmarks.datasets import DataSet
from unlearning.config.training_config import TrainingConfig
from unlearning.training.architectures import mlp

Build = Callable[[DataSet, int], nn.Module]


@dataclass(frozen=True, slots=True)
class Case:
    """One data set with one architecture."""

    name: str
    folder: str
    """Folder of the data set below the data directory."""
    build: Build
    """An untrained model for the data set, from a seed."""
    training: TrainingConfig
    train_rows: int = 10**9
    """Most training rows taken."""
    needs_gpu: bool = False
    takes_hours: bool = False
    """Measured only where it is named."""


def _mlp(data: DataSet, seed: int) -> nn.Module:
    return mlp(data.train.inputs.shape[1], (256, 128), data.classes, seed)


def _lenet(data: DataSet, seed: int) -> nn.Module:
    channels, side, _ = data.train.inputs.shape[1:]
    return _channels_last(lenet5(channels, side, data.classes, seed))


def _small_resnet(data: DataSet, seed: int) -> nn.Module:
    model = resnet(data.train.inputs.shape[1], data.classes, seed, width=8, blocks=1, stem_stride=2)
    return _channels_last(model)


def _channels_last(model: Any) -> nn.Module:
    """The model in the layout in which the processor convolves about 1.4 times faster."""
    return model.to(memory_format=torch.channels_last)  # a form that torch leaves without a type


def _resnet18(data: DataSet, seed: int) -> nn.Module:
    return resnet(data.train.inputs.shape[1], data.classes, seed)


def _vgg19(data: DataSet, seed: int) -> nn.Module:
    return vgg19(data.train.inputs.shape[1], data.classes, seed)


# Small batches and a larger step, so that the models memorise and there is something to forget;
# fewer epochs where the model memorises sooner, and fewer rows of the easy images.
_LENET_TRAINING = TrainingConfig(epochs=20, batch_size=64, learning_rate=2e-3)
_RESNET_TRAINING = TrainingConfig(epochs=10, batch_size=64, learning_rate=2e-3)

CASES: Mapping[str, Case] = {
    case.name: case
    for case in (
        Case("adult-mlp", "adult", _mlp, TrainingConfig()),
        Case("location30-mlp", "location30", _mlp, TrainingConfig()),
        Case(
            "fashion-lenet5",
            "fashion-mnist",
            _lenet,
            replace(_LENET_TRAINING, epochs=40),
            train_rows=5_000,
        ),
        Case("cifar10-lenet5", "cifar10-small", _lenet, _LENET_TRAINING),
        Case("cifar10-resnet8", "cifar10-small", _small_resnet, _RESNET_TRAINING),
        Case(
            "fashion-lenet5-whole",
            "fashion-mnist",
            _lenet,
            replace(_LENET_TRAINING, epochs=40),
            takes_hours=True,
        ),
        Case("cifar10-resnet18", "cifar10", _resnet18, _RESNET_TRAINING, needs_gpu=True),
        Case("cifar10-vgg19", "cifar10", _vgg19, _RESNET_TRAINING, needs_gpu=True),
    )
}
