import copy

import pytest
import torch
from torch import nn

from tests.oracles import linear_model
from tests.unlearning.conftest import Attending, Bag, Notes
from unlearning.curvature.curvature import conjugate_gradients, dot, fisher_diagonal, gauss_newton
from unlearning.errors import DataError, UnsupportedModelError
from unlearning.model.rows import TensorRows


def doubles(rows):
    return TensorRows(rows.inputs.double(), rows.labels)


def probabilities(model, data):
    return model(data.inputs).softmax(1).detach()


def test_the_fisher_diagonal_of_a_linear_model_by_hand(rows):
    model, data = linear_model(5, 3).double(), doubles(rows(70))  # more than one chunk
    errors = probabilities(model, data) - torch.eye(3).double()[data.labels]
    fisher = fisher_diagonal(model, data)
    weight = (errors.square().unsqueeze(2) * data.inputs.square().unsqueeze(1)).mean(0)
    torch.testing.assert_close(fisher["weight"], weight)
    torch.testing.assert_close(fisher["bias"], errors.square().mean(0))


def test_an_exported_model_has_the_fisher_diagonal_of_its_source(exported, export_source, rows):
    one, other = fisher_diagonal(exported, rows(9)), fisher_diagonal(export_source, rows(9))
    for name, value in other.items():
        torch.testing.assert_close(one[name], value, rtol=1e-4, atol=1e-9)


def test_what_a_layer_notes_of_single_rows_is_not_left_with_it(rows):
    model, data = Notes(5, 3), rows(4)
    fisher_diagonal(model, data)
    copy.deepcopy(model)  # what vmap had in hand cannot be copied
    assert model.seen is not None
    assert all(torch.equal(kept, data.inputs) for kept in (model.seen, *model.many))


def test_a_layer_that_mixes_rows_is_refused(rows):
    class Mixing(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(5, 3)

        def forward(self, inputs):
            return self.last(inputs - float(inputs.mean()))

    with pytest.raises(UnsupportedModelError, match="single row"):
        fisher_diagonal(Mixing(), rows(4))


@pytest.mark.parametrize("kind", [Attending, Bag])
def test_layers_without_a_batching_rule_are_read_row_by_row_all_the_same(kind, rows):
    model, data = kind(), rows(4)
    squares = [
        torch.autograd.grad(
            nn.functional.cross_entropy(model(inputs.unsqueeze(0)), label.unsqueeze(0)),
            list(model.parameters()),
        )
        for inputs, label in zip(data.inputs, data.labels, strict=True)
    ]
    found = fisher_diagonal(model, data)  # warnings are errors here
    for (name, _), parts in zip(model.named_parameters(), zip(*squares, strict=True), strict=True):
        expected = torch.stack(parts).double().square().mean(0)
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-9)


def test_curvature_of_attention_is_symmetric_and_not_negative(rows):
    model = Attending()
    product = gauss_newton(model, rows(9), chunk_size=4)
    one, two = ({n: torch.randn_like(v) for n, v in model.named_parameters()} for _ in range(2))
    assert dot(one, product(two)) == pytest.approx(dot(two, product(one)), rel=1e-3)
    assert dot(one, product(one)) > 0


def test_a_layer_without_a_second_derivative_is_refused(rows):
    product = gauss_newton(Bag(), rows(9), chunk_size=4)
    with pytest.raises(UnsupportedModelError, match="no second derivative"):
        product({name: torch.randn_like(value) for name, value in Bag().named_parameters()})


def test_a_label_outside_the_classes_is_refused(rows):
    data = rows(4)
    data.labels[2] = 7
    with pytest.raises(DataError, match="model has 3"):
        fisher_diagonal(linear_model(5, 3), data)


def test_the_gauss_newton_product_of_a_linear_model_by_hand(rows):
    model, data = linear_model(5, 3).double(), doubles(rows(30))
    p = probabilities(model, data)
    middle = torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)  # [N, C, C]
    vector = {"weight": torch.randn(3, 5).double(), "bias": torch.randn(3).double()}
    change = data.inputs @ vector["weight"].T + vector["bias"]
    bent = (middle @ change.unsqueeze(2)).squeeze(2)
    product = gauss_newton(model, data, chunk_size=7)(vector)
    torch.testing.assert_close(product["weight"], bent.T @ data.inputs / 30)
    torch.testing.assert_close(product["bias"], bent.mean(0))


def test_conjugate_gradients_solve_a_damped_system(rows):
    root = torch.randn(6, 6).double()
    matrix, right = root @ root.T, torch.randn(6).double()

    def product(vector):
        return {"x": matrix @ vector["x"]}

    found = conjugate_gradients(product, {"x": right}, iterations=30, damping=0.1)["x"]
    exact = torch.linalg.solve(matrix + 0.1 * torch.eye(6).double(), right)
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-8)


def test_conjugate_gradients_of_nothing_are_nothing():
    zero = {"x": torch.zeros(3)}
    assert torch.equal(conjugate_gradients(lambda v: v, zero, iterations=5, damping=1.0)["x"],
                       zero["x"])  # fmt: skip
