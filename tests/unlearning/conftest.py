import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from unlearning.model.rows import TensorRows

FEATURES, CLASSES = 5, 3


class Notes(nn.Linear):
    """A layer that keeps what it saw, in every place that it has."""

    seen: torch.Tensor | None
    last: torch.Tensor | None
    many: list[torch.Tensor]
    named: dict[str, torch.Tensor]

    def __init__(self, *sides):
        super().__init__(*sides)
        self.seen, self.many, self.named = None, [], {}
        self.register_buffer("last", None)

    def forward(self, inputs):
        seen = inputs.detach()
        self.seen = self.named["last"] = self.last = seen
        self.many.append(seen)
        return super().forward(inputs)


class Tempered(nn.Linear):
    """A layer with a weight that is one number, which the reset it inherits does not know."""

    def __init__(self, *sides):
        super().__init__(*sides)
        self.heat = nn.Parameter(torch.tensor(2.0))

    def forward(self, inputs):
        return super().forward(inputs) / self.heat


class Attending(nn.Module):
    """Attention, whose fast way has neither a batching rule nor a second derivative."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(1, 8)
        self.attention = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.last(self.attention(self.first(inputs.unsqueeze(2))).mean(1))


class Bag(nn.Module):
    """A layer that has no second derivative at all; `sparse` if its gradients shall be."""

    def __init__(self, *, sparse=False):
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 4, sparse=sparse)
        self.last = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.last(self.bag((3 * inputs).long().abs().clamp(max=9)))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1234)


class Stateful(nn.Module):
    """A model whose forward pass changes it in training mode, and that is random there."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(8, CLASSES)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.last(self.drop(torch.relu(self.norm(self.first(inputs)))))


def make_rows(count: int, seed: int = 0) -> TensorRows:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count, FEATURES, generator=generator)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    return TensorRows(inputs, labels)


def export(model: nn.Module) -> nn.Module:
    batch = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns about its own internals
        program = torch.export.export(
            model, (torch.randn(4, FEATURES),), dynamic_shapes=({0: batch},)
        )
        return program.module()


@pytest.fixture
def rows() -> Callable[..., TensorRows]:
    return make_rows


@pytest.fixture
def stateful() -> nn.Module:
    """Batch norm with statistics of its own, one layer already in evaluation mode."""
    model = Stateful()
    with torch.no_grad():
        model(torch.randn(64, FEATURES))
    model.drop.eval()
    return model


@pytest.fixture(scope="session")
def _export_source() -> nn.Module:
    return Stateful().eval()


@pytest.fixture(scope="session")
def _exported(_export_source: nn.Module) -> nn.Module:
    return export(_export_source)


@pytest.fixture
def exported(_exported: nn.Module) -> nn.Module:
    return _exported


@pytest.fixture
def export_source(_export_source: nn.Module) -> nn.Module:
    """The module that `exported` was made from, in evaluation mode."""
    return _export_source


@pytest.fixture
def exported_in_training() -> nn.Module:
    return export(Stateful())


class BrokenRows:
    """A source that announces another number of rows than it gives."""

    count = 5

    def chunks(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        yield from make_rows(3).chunks(size)


@pytest.fixture
def broken_rows() -> BrokenRows:
    return BrokenRows()
