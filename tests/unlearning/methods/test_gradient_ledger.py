import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles import linear_model
from unlearning.errors import DataError, DivergenceError, StaleLedgerError
from unlearning.methods.gradient_ledger import (
    Ledger,
    check_ledger,
    ledger_from,
    ledger_metadata,
    ledger_tensors,
    retain_gradient,
)
from unlearning.model.gradients import Gradient, mean_gradient
from unlearning.model.rows import TensorRows


def gradient(value=1.0, count=10, loss=0.5, name="weight"):
    return Gradient(
        values={name: torch.tensor([value, -value], dtype=torch.float64)},
        row_count=count,
        mean_loss=loss,
    )


def ledger(**changes):
    return Ledger(gradient(**changes), model_digest="sha:a", dataset="file://people@7")


@given(forgotten=st.integers(1, 29))
def test_the_retain_gradient_is_that_of_a_full_pass(forgotten):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(30, 5, generator=generator)
    labels = torch.randint(3, (30,), generator=generator)
    model = linear_model(5, 3)

    def over(rows):
        return mean_gradient(model, TensorRows(inputs[rows], labels[rows]), chunk_size=8)

    whole = Ledger(over(slice(None)), model_digest="m", dataset="d@1")
    derived = retain_gradient(whole, over(slice(forgotten)))
    direct = over(slice(forgotten, None))
    assert derived.row_count == direct.row_count
    assert derived.mean_loss == pytest.approx(direct.mean_loss, rel=1e-5)
    for name, value in direct.values.items():
        torch.testing.assert_close(derived.values[name], value, rtol=1e-4, atol=1e-6)


def test_the_retain_gradient_by_hand():
    retained = retain_gradient(ledger(value=1.0, count=10), gradient(value=3.0, count=4, loss=1.0))
    assert torch.allclose(retained.values["weight"][0], torch.tensor(-2 / 6, dtype=torch.float64))
    assert retained.mean_loss == pytest.approx((10 * 0.5 - 4 * 1.0) / 6)


@pytest.mark.parametrize("count", [0, 10, 11])
def test_forgetting_nothing_or_everything_is_refused(count):
    with pytest.raises(DataError, match=f"forget set has {count} rows and the ledger 10"):
        retain_gradient(ledger(), gradient(count=count))


def test_a_ledger_with_other_parameters_is_stale():
    with pytest.raises(StaleLedgerError, match="other parameters"):
        retain_gradient(ledger(), gradient(count=2, name="bias"))


def test_a_ledger_with_other_shapes_is_stale():
    forget = Gradient(values={"weight": torch.zeros(3)}, row_count=2, mean_loss=0.1)
    with pytest.raises(StaleLedgerError, match="other parameters"):
        retain_gradient(ledger(), forget)


def test_a_gradient_that_is_not_finite_is_refused():
    with pytest.raises(DivergenceError):
        retain_gradient(ledger(), gradient(value=float("nan"), count=2))


def test_a_ledger_of_this_model_and_table_passes():
    check_ledger(ledger(), model_digest="sha:a", dataset="file://people@7")


@pytest.mark.parametrize(
    ("digest", "dataset", "told"),
    [("sha:b", "file://people@7", "sha:b"), ("sha:a", "file://people@8", "people@8")],
)
def test_a_ledger_of_another_model_or_table_is_stale_and_says_so(digest, dataset, told):
    with pytest.raises(StaleLedgerError, match=f"{told}.*expunge ledger"):
        check_ledger(ledger(), model_digest=digest, dataset=dataset)


@given(loss=st.floats(allow_nan=False, allow_infinity=False), count=st.integers(1, 10**12))
def test_a_stored_ledger_comes_back_bit_for_bit(loss, count):
    kept = ledger(loss=loss, count=count)
    again = ledger_from(ledger_tensors(kept), ledger_metadata(kept))
    assert torch.equal(again.gradient.values["weight"], kept.gradient.values["weight"])
    assert again.gradient.values["weight"].dtype == torch.float64
    assert (again.gradient.mean_loss, again.gradient.row_count) == (loss, count)
    assert (again.model_digest, again.dataset) == (kept.model_digest, kept.dataset)


@pytest.mark.parametrize("key", ["form", "model_digest", "dataset", "row_count", "mean_loss"])
def test_a_stored_ledger_without_one_fact_is_stale(key):
    metadata = ledger_metadata(ledger())
    del metadata[key]
    with pytest.raises(StaleLedgerError, match=key if key != "form" else "None"):
        ledger_from(ledger_tensors(ledger()), metadata)


@pytest.mark.parametrize(("key", "value"), [("row_count", "many"), ("mean_loss", "?")])
def test_a_stored_ledger_with_an_unreadable_number_is_stale(key, value):
    with pytest.raises(StaleLedgerError, match="incomplete"):
        ledger_from(ledger_tensors(ledger()), ledger_metadata(ledger()) | {key: value})


def test_a_stored_ledger_with_a_nan_is_refused():
    broken = ledger(value=float("nan"))
    with pytest.raises(DivergenceError):
        ledger_from(ledger_tensors(broken), ledger_metadata(broken))


def test_stored_tensors_are_contiguous():
    values = {"weight": torch.zeros(3, 2, dtype=torch.float64).T}
    skewed = Ledger(
        Gradient(values=values, row_count=2, mean_loss=0.1), model_digest="m", dataset="d@1"
    )
    assert ledger_tensors(skewed)["weight"].is_contiguous()
