import pytest
import torch
from torch import nn

from unlearning.model.row_layers import row_layers, watched


class Several(nn.Module):
    """A layer for which factors pay; one of many places, one called twice, one in groups."""

    def __init__(self):
        super().__init__()
        self.small = nn.Conv2d(2, 2, 3, padding=1)
        self.grouped = nn.Conv2d(2, 2, 1, groups=2)
        self.wide = nn.Linear(32, 20)
        self.twice = nn.Linear(20, 20)

    def forward(self, inputs):
        places = self.grouped(self.small(inputs))
        return self.twice(self.twice(self.wide(places.flatten(1))))


def layers_of(model, row):
    state = dict(model.named_parameters())
    return row_layers(model, state, list(state), row)


def test_factors_are_taken_of_plain_layers_that_are_called_once_and_for_which_it_pays():
    assert list(layers_of(Several(), torch.randn(1, 2, 4, 4))) == ["wide.weight"]


@pytest.mark.parametrize(
    ("layer", "row"),
    [
        (nn.Linear(6, 4), torch.randn(1, 6)),
        (nn.Conv2d(3, 9, 3, stride=2, padding=1), torch.randn(1, 3, 2, 2)),
        (nn.Conv2d(8, 9, 2, dilation=2), torch.randn(1, 8, 4, 3)),
    ],
)
def test_the_factors_of_a_row_add_up_to_the_gradient_of_the_weights(layer, row):
    model = nn.Sequential(layer.double())
    (found,) = layers_of(model, row.double()).values()
    rows = torch.randn(3, *row.shape[1:], dtype=torch.double)
    outputs = model(rows)
    back = torch.randn_like(outputs)
    left, right = found.factors(back, rows)
    for number in range(3):
        (expected,) = torch.autograd.grad(
            (model(rows[number : number + 1]) * back[number]).sum(), [layer.weight]
        )
        product = torch.einsum("to,ti->oi", left[number], right[number])
        torch.testing.assert_close(product.reshape(layer.weight.shape), expected)


def test_layers_are_watched_in_the_block_alone():
    layer, inputs = nn.Linear(4, 2), torch.randn(3, 4)
    plain = layer(inputs)
    with watched({"layer": layer}, lambda _, outputs: torch.ones_like(outputs)) as seen:
        assert torch.equal(layer(inputs), plain + 1)
    assert torch.equal(layer(inputs), plain)
    assert [one is not None and torch.equal(one, inputs) for one in seen["layer"]] == [True]
