import pytest
import torch

from unlearning.model.weights import model_digest, same_values

STATE = {"first": torch.tensor([[1.0, -2.0], [0.0, 3.0]]), "last": torch.tensor([1.0, 2.0])}


def changed(name, value):
    return STATE | {name: value}


def test_the_order_of_the_names_does_not_matter():
    assert model_digest(dict(reversed(STATE.items()))) == model_digest(STATE)


@pytest.mark.parametrize(
    "other",
    [
        changed("last", torch.tensor([1.0, 2.0000002])),
        changed("last", torch.tensor([2.0, 1.0])),
        changed("last", STATE["last"].double()),
        changed("last", STATE["last"].view(torch.int32)),
        changed("last", STATE["last"].reshape(2, 1)),
        changed("first", STATE["first"].reshape(4)),
        changed("first", STATE["first"].T.contiguous()),
        changed("first", torch.tensor([[1.0, -2.0], [-0.0, 3.0]])),
        changed("extra", torch.zeros(0)),
        {"first": STATE["first"]},
        {"First": STATE["first"], "last": STATE["last"]},
        {"first": STATE["last"], "last": STATE["first"]},
        {},
    ],
    ids=[
        "last bit", "order", "float64", "same bytes as int32", "shape", "flat", "transposed",
        "sign of zero", "empty tensor", "one less", "name", "swapped", "nothing",
    ],
)  # fmt: skip
def test_any_other_name_value_type_or_shape_changes_the_digest(other):
    assert model_digest(other) != model_digest(STATE)


def test_the_same_weights_in_other_memory_compare_equal():
    wide = torch.zeros(2, 6)
    wide[:, ::3] = STATE["first"]
    scattered = {"first": wide[:, ::3], "last": STATE["last"].clone().requires_grad_()}
    assert not scattered["first"].is_contiguous()
    assert model_digest(scattered) == model_digest(STATE)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.bfloat16, torch.float16])
def test_scalars_empty_tensors_and_every_type_have_a_digest(kind):
    digests = {
        model_digest({"x": torch.tensor(1, dtype=kind)}),
        model_digest({"x": torch.tensor(0, dtype=kind)}),
        model_digest({"x": torch.tensor([1], dtype=kind)}),
        model_digest({"x": torch.zeros(0, dtype=kind)}),
    }
    assert len(digests) == 4


def test_a_model_and_its_copy_have_the_same_digest_until_one_weight_moves(stateful):
    state = stateful.state_dict()
    copy = {name: value.clone() for name, value in state.items()}
    assert model_digest(copy) == model_digest(state)
    copy["norm.running_mean"][0] += 1e-3
    assert model_digest(copy) != model_digest(state)


def test_shared_values_are_named_and_counters_and_empty_tensors_are_not():
    one = {
        "w": torch.ones(2),
        "frozen": torch.ones(3),
        "steps": torch.tensor(4),
        "e": torch.ones(0),
    }
    other = {**one, "w": torch.zeros(2), "extra": torch.ones(1)}
    assert same_values(one, other) == ["frozen"]
    assert same_values(one, {"frozen": torch.ones(3, dtype=torch.int64)}) == []
