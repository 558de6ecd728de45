"""The image networks of the benchmark.

Letters: B rows, C classes.
"""

import torch
from torch import Tensor, nn

from unlearning.model.randomness import seeded


def lenet5(channels: int, side: int, classes: int, seed: int) -> nn.Module:
    """LeNet-5 [B, channels, side, side] → [B, C] with ReLU and max pooling (LeCun et al. 1998).

    Two 5x5 convolutions of 6 and 16 channels, then linear layers of 120 and 84.
    """
    flat = 16 * (((side - 4) // 2 - 4) // 2) ** 2
    with seeded(seed):
        return nn.Sequential(
            *[nn.Conv2d(channels, 6, 5), nn.ReLU(), nn.MaxPool2d(2)],
            *[nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()],
            *[nn.Linear(flat, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()],
            nn.Linear(84, classes),
        )


class Residual(nn.Module):
    """A basic residual block with batch norm (He et al. 2016): y = relu(f(x) + shortcut(x))."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *[nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)],
            nn.ReLU(),
            *[nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)],
        )
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output [B, outputs, side / stride, side / stride]."""
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet(
    channels: int,
    classes: int,
    seed: int,
    *,
    width: int = 64,
    blocks: int = 2,
    stem_stride: int = 1,
) -> nn.Module:
    """A residual network for small images [B, channels, side, side] → [B, C].

    Four stages of `blocks` blocks with `width` times 1, 2, 4, 8 channels; the defaults are the
    usual ResNet-18 for 32x32 images, 11 million parameters. Width 8, one block and a stem of
    stride 2 fit two processor cores.
    """
    with seeded(seed):
        stem = nn.Conv2d(channels, width, 3, stem_stride, 1, bias=False)
        layers: list[nn.Module] = [stem, nn.BatchNorm2d(width), nn.ReLU()]
        before = width
        for stage in range(4):
            for block in range(blocks):
                outputs, stride = width * 2**stage, 2 if stage and not block else 1
                layers.append(Residual(before, outputs, stride))
                before = outputs
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes)
        )


def vgg19(channels: int, classes: int, seed: int, *, width: int = 64) -> nn.Module:
    """VGG-19 with batch norm for small images [B, channels, 32, 32] → [B, C].

    Sixteen 3x3 convolutions in five stages of `width` times 1, 2, 4, 8, 8 channels, each stage
    halving the side, and one linear layer, as is usual for 32x32 images (Simonyan and Zisserman
    2014 had three for 224x224): 20 million parameters.
    """
    with seeded(seed):
        layers: list[nn.Module] = []
        before = channels
        for factor, convolutions in ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4)):
            for _ in range(convolutions):
                outputs = width * factor
                layers += [nn.Conv2d(before, outputs, 3, 1, 1, bias=False)]
                layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
                before = outputs
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before, classes))
