import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.oracles import (
    Fingerprint,
    binary_linear_gradient,
    linear_model,
    softmax_linear_gradient,
    softmax_linear_loss,
)
from unlearning.errors import DataError, DivergenceError
from unlearning.model.gradients import gradient_sum, mean_gradient, mean_of
from unlearning.model.rows import TensorRows


def test_the_gradient_of_a_softmax_linear_model_is_the_closed_form(rows):
    model, data = linear_model(5, 3), rows(50)
    gradient = mean_gradient(model, data, chunk_size=16)
    expected = softmax_linear_gradient(model.weight, model.bias, data.inputs, data.labels)
    losses = softmax_linear_loss(model.weight, model.bias, data.inputs, data.labels)
    assert gradient.row_count == 50
    assert gradient.mean_loss == pytest.approx(float(losses.mean()), rel=1e-6)
    assert gradient.values.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(gradient.values[name], value, rtol=1e-5, atol=1e-7)


def test_the_gradient_of_a_binary_model_with_one_log_odds_is_the_closed_form(rows):
    model, data = linear_model(5, 1), rows(50)
    labels = data.labels.clamp(max=1)
    gradient = mean_gradient(model, TensorRows(data.inputs, labels), chunk_size=16)
    for name, value in binary_linear_gradient(model, data.inputs, labels).items():
        torch.testing.assert_close(gradient.values[name], value, rtol=1e-5, atol=1e-7)


@given(size=st.integers(1, 40))
def test_the_gradient_does_not_depend_on_the_chunk_size(size):
    generator = torch.Generator().manual_seed(5)
    data = TensorRows(
        torch.randn(31, 5, generator=generator), torch.randint(3, (31,), generator=generator)
    )
    model = nn.Sequential(linear_model(5, 6), nn.Tanh(), linear_model(6, 3))
    whole = mean_gradient(model, data, chunk_size=31)
    chunked = mean_gradient(model, data, chunk_size=size)
    assert chunked.mean_loss == pytest.approx(whole.mean_loss, rel=1e-6)
    for name, value in whole.values.items():
        torch.testing.assert_close(chunked.values[name], value, rtol=1e-4, atol=1e-7)


def test_the_same_chunks_give_the_same_bits(stateful, rows):
    first, second = (mean_gradient(stateful, rows(40), chunk_size=7) for _ in range(2))
    assert first.mean_loss == second.mean_loss
    assert all(torch.equal(value, second.values[name]) for name, value in first.values.items())


@pytest.mark.parametrize("name", ["stateful", "exported"])
def test_the_model_is_left_bit_for_bit_as_it_was(name, rows, request):
    model = request.getfixturevalue(name)
    before = Fingerprint.of(model)
    mean_gradient(model, rows(20), chunk_size=7)
    before.assert_same(model)


def test_gradients_the_owner_holds_are_neither_read_nor_written(rows):
    model, data = linear_model(5, 3), rows(9)
    clean = mean_gradient(model, data, chunk_size=9)
    model.weight.grad = torch.full_like(model.weight, 3.0)
    again = mean_gradient(model, data, chunk_size=9)
    assert torch.equal(model.weight.grad, torch.full_like(model.weight, 3.0))
    assert torch.equal(clean.values["weight"], again.values["weight"])


def test_an_exported_model_has_the_gradient_of_its_source(export_source, exported, rows):
    data = rows(12)
    expected = mean_gradient(export_source, data, chunk_size=5)
    actual = mean_gradient(exported, data, chunk_size=5)
    for name, value in expected.values.items():
        torch.testing.assert_close(actual.values[name], value)


def test_dropout_and_batch_statistics_take_no_part(stateful, rows):
    data = rows(12)
    expected = mean_gradient(stateful.eval(), data, chunk_size=12)
    actual = mean_gradient(stateful.train(), data, chunk_size=12)
    assert all(torch.equal(value, actual.values[name]) for name, value in expected.values.items())


def test_it_works_where_the_caller_switched_autograd_off(rows):
    with torch.no_grad():
        gradient = mean_gradient(linear_model(5, 3), rows(6), chunk_size=6)
    assert float(gradient.values["weight"].abs().sum()) > 0


def test_a_parameter_that_the_loss_does_not_use_has_a_zero_gradient(rows):
    model = linear_model(5, 3)
    model.register_parameter("spare", nn.Parameter(torch.ones(2)))
    gradient = mean_gradient(model, rows(6), chunk_size=4)
    assert torch.equal(gradient.values["spare"], torch.zeros(2, dtype=torch.float64))


def test_confident_rows_keep_a_gradient_that_float32_would_lose():
    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[20.0], [0.0]]))
    one_row = TensorRows(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64))
    gradient = mean_gradient(model, one_row, chunk_size=1)
    assert gradient.mean_loss == pytest.approx(torch.e**-20, rel=1e-3, abs=0)
    assert float(gradient.values["weight"][0, 0]) == pytest.approx(-(torch.e**-20), rel=1e-3, abs=0)


def test_no_rows_are_refused(rows):
    with pytest.raises(DataError, match="empty"):
        mean_gradient(linear_model(5, 3), rows(0), chunk_size=4)


def test_a_label_outside_the_classes_is_refused():
    data = TensorRows(torch.ones(2, 5), torch.tensor([0, -100]))
    with pytest.raises(DataError, match="classes"):
        mean_gradient(linear_model(5, 3), data, chunk_size=4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_input_that_is_not_finite_is_refused(value):
    data = TensorRows(torch.full((2, 5), value), torch.tensor([0, 1]))
    with pytest.raises(DivergenceError, match="not finite"):
        mean_gradient(linear_model(5, 3), data, chunk_size=4)


def test_the_mode_comes_back_when_a_row_is_refused(stateful, rows):
    before = Fingerprint.of(stateful)
    bad = TensorRows(rows(4).inputs, torch.tensor([0, 1, 2, 3]))
    with pytest.raises(DataError):
        mean_gradient(stateful, bad, chunk_size=2)
    before.assert_same(stateful)


def test_a_binary_model_that_squeezes_survives_a_last_chunk_of_one_row(rows):
    class Squeezing(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs).squeeze()

    data = TensorRows(rows(9).inputs, rows(9).labels.clamp(max=1))
    model = Squeezing(5, 1)
    gradient = mean_gradient(model, data, chunk_size=4)
    for name, value in binary_linear_gradient(model, data.inputs, data.labels).items():
        torch.testing.assert_close(gradient.values[name], value, rtol=1e-5, atol=1e-7)


def test_bfloat16_gives_nearly_the_same_gradient(rows):
    model = nn.Sequential(linear_model(5, 16), nn.Tanh(), linear_model(16, 3))
    exact = mean_gradient(model, rows(200), chunk_size=64)
    rough = mean_gradient(model, rows(200), chunk_size=64, precision="bfloat16")
    one, other = (
        torch.cat([value.flatten() for value in g.values.values()]) for g in (exact, rough)
    )
    assert not one.equal(other)
    assert float(torch.cosine_similarity(one, other, dim=0)) > 0.99
    assert rough.mean_loss == pytest.approx(exact.mean_loss, rel=0.01)
    assert all(value.dtype == torch.float64 for value in rough.values.values())


def test_bfloat16_keeps_about_half_as_many_bytes_of_a_chunk(rows):
    model = nn.Sequential(linear_model(5, 64), nn.Tanh(), linear_model(64, 64), nn.Tanh())
    kept = {}
    for precision in ("float32", "bfloat16"):
        sizes = {}

        def note(tensor, sizes=sizes):
            if tensor.shape[:1] == (60,):  # of rows, and not of weights
                sizes[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            mean_gradient(model, rows(60), chunk_size=60, precision=precision)
        kept[precision] = sum(sizes.values())
    assert kept["bfloat16"] < 0.75 * kept["float32"]


def test_float32_is_float32_also_where_the_caller_autocasts(rows):
    model = nn.Sequential(linear_model(5, 16), nn.Tanh(), linear_model(16, 3))
    plain = mean_gradient(model, rows(40), chunk_size=16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        within = mean_gradient(model, rows(40), chunk_size=16, precision="float32")
    assert all(value.equal(within.values[name]) for name, value in plain.values.items())


def test_sums_over_parts_add_up_to_the_sum_over_all(rows):
    model, data = linear_model(5, 3), rows(40)
    parts = [TensorRows(data.inputs[p], data.labels[p]) for p in (slice(16), slice(16, 40))]
    how = {"chunk_size": 16, "device": "cpu", "precision": "float32"}
    first, second = (gradient_sum(model, part, **how) for part in parts)
    whole = gradient_sum(model, data, **how)
    assert first.row_count + second.row_count == whole.row_count == 40
    for name, value in whole.values.items():
        torch.testing.assert_close(first.values[name] + second.values[name], value)


def test_a_sum_over_no_rows_is_zero_and_has_no_mean(rows):
    part = gradient_sum(
        linear_model(5, 3), rows(0), chunk_size=4, device="cpu", precision="float32"
    )
    assert part.row_count == 0
    assert not any(value.any() for value in part.values.values())
    with pytest.raises(DataError, match="empty"):
        mean_of(part)
