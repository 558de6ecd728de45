import copy

import pytest
import torch
from torch import nn

from tests.unlearning.conftest import Attending, Notes, Tempered
from unlearning.errors import UnsupportedModelError
from unlearning.model.forward import two_class_scores
from unlearning.model.margins import margin
from unlearning.model.row_gradients import MOST_PAIRS, Outer, RowGradients, RowPass


class Mixed(nn.Module):
    """Layers with known factors, and layers without."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=4, padding=1)  # 2 x 2 places
        self.norm = nn.BatchNorm2d(4)
        self.kernel = nn.Conv2d(4, 40, 2)  # one place
        self.wide = nn.Linear(40, 7)
        self.twice = nn.Linear(7, 7)
        self.last = nn.Linear(7, 3)
        self.inplace = nn.ReLU(inplace=True)

    def forward(self, inputs):
        hidden = self.norm(self.conv(inputs))
        hidden = self.inplace(self.wide(self.kernel(hidden).flatten(1)))
        hidden = self.twice(torch.tanh(self.twice(hidden)))
        return self.last(hidden)


class Tokens(nn.Module):
    """A fully connected layer on sequences."""

    def __init__(self):
        super().__init__()
        self.each = nn.Linear(30, 20)
        self.last = nn.Linear(20, 1)

    def forward(self, inputs):
        return self.last(torch.tanh(self.each(inputs)).mean(1))


def pass_over(model, inputs):
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    names = [name for name, _ in model.named_parameters()]
    return RowPass(model, state, names, inputs[:1]), state, names


def autograd_of(model, inputs, labels, shares):
    total = (shares * margin(two_class_scores(model(inputs)), labels)).sum()
    return torch.autograd.grad(total, list(model.parameters()))


@pytest.mark.parametrize(
    ("build", "shape", "classes"), [(Mixed, (1, 8, 8), 3), (Tokens, (4, 30), 2)]
)
def test_row_gradients_add_up_to_what_autograd_gives(build, shape, classes):
    model = build().double().eval()
    inputs = torch.randn(300, *shape, dtype=torch.double)  # more than one chunk
    labels = torch.randint(classes, (300,))
    rows, state, names = pass_over(model, inputs)
    margins, gradients = rows(state, inputs, labels)
    torch.testing.assert_close(margins, margin(two_class_scores(model(inputs)), labels).detach())
    assert not margins.requires_grad
    for shares in (torch.randn(300).double(), torch.eye(300).double()[7]):
        expected = autograd_of(model, inputs, labels, shares)
        for name, found, right in zip(names, gradients.combined(shares), expected, strict=True):
            torch.testing.assert_close(found, right, msg=name)


def test_factors_are_kept_where_they_take_less_and_are_known():
    model = Mixed().eval()
    inputs = torch.randn(5, 1, 8, 8)
    rows, state, names = pass_over(model, inputs)
    _, gradients = rows(state, inputs, torch.zeros(5, dtype=torch.int64))
    by_name = dict(zip(names, gradients.parts, strict=True))
    kept = {name for name, part in by_name.items() if isinstance(part, Outer)}
    # Not the first, of four places, nor the one that is called twice.
    assert kept == {"kernel.weight", "wide.weight", "last.weight"}
    assert rows.numbers == sum(part[0].numel() for part in gradients.tensors())


@pytest.mark.parametrize("count", [1, 7, 300])
@pytest.mark.parametrize("chunked", [False, True])
def test_gram_holds_the_inner_products_of_whole_gradients(monkeypatch, count, chunked):
    generator = torch.Generator().manual_seed(1)
    outputs, inputs = (torch.randn(count, 2, side, generator=generator).double() for side in (5, 6))
    others = [
        torch.randn(count, *shape, generator=generator).double()
        for shape in ((3,), (2, 4), (), (0, 4))
    ]
    rows = RowGradients([Outer(outputs, inputs, torch.Size((5, 6))), *others])
    whole = torch.einsum("bto,bti->boi", outputs, inputs)
    flat = torch.cat([part.reshape(count, part[0].numel()) for part in (whole, *others)], 1)
    most_pairs = 3 * count * 2**2 if chunked else MOST_PAIRS  # three rows at once
    slices, cut = [], Outer.__getitem__

    def noted(self, rows):
        slices.append(len(self.outputs[rows]))
        return cut(self, rows)

    monkeypatch.setattr(Outer, "__getitem__", noted)
    torch.testing.assert_close(rows.gram(most_pairs=most_pairs), flat @ flat.T)
    together = [one * two * 2**2 for one, two in zip(slices[::2], slices[1::2], strict=True)]
    assert 0 < max(together) <= most_pairs


def test_the_model_keeps_its_weights_hooks_and_gradients():
    model = Mixed().eval()
    inputs = torch.randn(5, 1, 8, 8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows, state, _ = pass_over(model, inputs)
    rows(state, inputs, torch.zeros(5, dtype=torch.int64))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(vars(layer)["_forward_hooks"] for layer in model.modules())
    assert all(value.grad is None for value in model.parameters())


class LooksAtNumbers(nn.Linear):
    """A model whose way depends on the numbers, which no batch of rows can share."""

    def forward(self, inputs):
        scores = super().forward(inputs)
        return scores if float(scores.detach().sum()) > 0 else 2 * scores


@pytest.mark.parametrize("build", [lambda: Tempered(5, 3), Attending])
def test_products_are_those_of_whole_gradients(build):
    model = build()
    inputs, labels = torch.randn(4, 5), torch.tensor([0, 1, 2, 0])
    rows, state, _ = pass_over(model, inputs)
    _, gradients = rows(state, inputs, labels)
    whole = []
    for row, label in zip(inputs, labels, strict=True):
        value = margin(model(row.unsqueeze(0)), label.unsqueeze(0))[0]
        parts = torch.autograd.grad(value, list(model.parameters()))
        whole.append(torch.cat([part.flatten() for part in parts]))
    expected = torch.stack(whole) @ torch.stack(whole).T
    torch.testing.assert_close(gradients.gram(), expected, rtol=1e-3, atol=1e-4)


def test_what_a_layer_notes_of_single_rows_is_not_left_with_it():
    model = Notes(5, 3)
    inputs = torch.randn(4, 5)
    model(inputs)
    rows, state, _ = pass_over(model, inputs)
    rows(state, inputs, torch.zeros(4, dtype=torch.int64))
    copy.deepcopy(model)  # what vmap had in hand cannot be copied
    assert model.seen is not None
    assert model.last is not None
    for kept in (model.seen, model.named["last"], model.last, *model.many):
        assert torch.equal(kept, inputs) or torch.equal(kept, inputs[:1])


def test_a_model_that_cannot_be_read_row_by_row_is_refused():
    model = LooksAtNumbers(5, 3)
    inputs = torch.randn(4, 5)
    rows, state, _ = pass_over(model, inputs)
    with pytest.raises(UnsupportedModelError, match="single row"):
        rows(state, inputs, torch.zeros(4, dtype=torch.int64))
