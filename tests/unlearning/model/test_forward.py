import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from tests.oracles import Fingerprint
from tests.unlearning.conftest import Bag, export
from unlearning.errors import (
    DataError,
    SettingsError,
    TransientError,
    UnfitRowsError,
    UnsupportedModelError,
    is_out_of_memory,
)
from unlearning.model.forward import (
    fixed_mode,
    is_exported,
    logits,
    trainable_names,
    two_class_scores,
)
from unlearning.model.state import forward_state


def test_only_a_model_from_torch_export_counts_as_exported(stateful, exported):
    assert is_exported(exported)
    assert not is_exported(stateful)
    assert not is_exported(torch.fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2))))


def test_each_layer_gets_its_own_mode_back_even_after_an_error(stateful):
    before = Fingerprint.of(stateful)
    with pytest.raises(RuntimeError, match="inside"), fixed_mode(stateful):
        raise RuntimeError("inside: " + str([layer.training for layer in stateful.modules()]))
    with fixed_mode(stateful):
        assert not any(layer.training for layer in stateful.modules())
    before.assert_same(stateful)


def test_an_exported_model_passes_through_untouched(exported):
    before = Fingerprint.of(exported)
    with fixed_mode(exported):
        before.assert_same(exported)
    before.assert_same(exported)


def test_a_model_exported_in_training_mode_is_refused(exported_in_training):
    for model in (exported_in_training, nn.Sequential(exported_in_training)):
        with pytest.raises(UnsupportedModelError, match="training mode"), fixed_mode(model):
            pass


@pytest.mark.parametrize(
    ("wrap", "kind"),
    [(torch.jit.script, "torch.jit"), (nn.DataParallel, "spread over devices")],
)
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
def test_a_model_whose_weights_cannot_be_replaced_is_refused(wrap, kind):
    model = nn.Sequential(wrap(nn.Linear(3, 2)))
    with pytest.raises(UnsupportedModelError, match=kind), fixed_mode(model):
        pass


def test_a_layer_that_rewrites_its_weights_on_train_is_not_called():
    class Merging(nn.Linear):
        def train(self, mode=True):
            raise AssertionError("called")

    with fixed_mode(Merging(2, 2)):
        pass


def test_a_layer_that_writes_its_buffer_in_forward_writes_to_a_copy():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, inputs):
            self.calls += 1
            return self.linear(inputs)

    model = Counting()
    labels = torch.zeros(3, dtype=torch.int64)
    logits(model, forward_state(model, "cpu"), torch.ones(3, 2), labels)
    assert model.calls == 0


def test_frozen_parameters_are_left_out_and_a_wholly_frozen_model_is_refused(stateful):
    stateful.first.requires_grad_(requires_grad=False)
    assert trainable_names(stateful) == ["norm.weight", "norm.bias", "last.weight", "last.bias"]
    stateful.requires_grad_(requires_grad=False)
    with pytest.raises(UnsupportedModelError, match="no trainable parameter"):
        trainable_names(stateful)


def test_a_layer_with_sparse_gradients_is_refused_by_name():
    assert "bag.weight" in trainable_names(Bag())
    with pytest.raises(UnsupportedModelError, match="sparse gradients in the layer bag"):
        trainable_names(Bag(sparse=True))
    with pytest.raises(UnsupportedModelError, match="sparse gradients;"):
        trainable_names(export(Bag(sparse=True)))


def test_every_parameter_of_an_exported_model_counts(exported):
    assert trainable_names(exported) == [name for name, _ in exported.named_parameters()]


@pytest.mark.parametrize("label", [-100, -1, 2, 9])
def test_a_label_outside_the_classes_is_refused(label):
    model = nn.Linear(3, 2)
    labels = torch.tensor([0, label, 1])
    with pytest.raises(DataError, match="model has 2 classes"):
        logits(model, forward_state(model, "cpu"), torch.ones(3, 3), labels)


@pytest.mark.parametrize(
    "model",
    [
        nn.Flatten(0),
        nn.Unflatten(1, (3, 1)),
        nn.LSTM(3, 2),
        nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (2, 3))),
    ],
    ids=["one axis", "three axes", "tuple", "rows lost"],
)
def test_a_model_without_one_score_row_for_each_input_is_refused(model):
    inputs, labels = torch.ones(3, 3), torch.zeros(3, dtype=torch.int64)
    if isinstance(model, nn.Sequential):
        inputs, labels = torch.ones(1, 6), torch.zeros(1, dtype=torch.int64)
    with pytest.raises(UnsupportedModelError, match="wrap it"):
        logits(model, forward_state(model, "cpu"), inputs, labels)


class Failing(nn.Linear):
    def __init__(self, error):
        super().__init__(3, 2)
        self.error = error

    def forward(self, _):
        raise self.error


@pytest.mark.parametrize("error", [ValueError("a"), TypeError("b"), KeyError("c")])
def test_a_model_that_does_not_take_the_rows_is_refused(error):
    model, labels = Failing(error), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(UnsupportedModelError, match=rf"\[4, 3\] \({type(error).__name__}\)"):
        logits(model, forward_state(model, "cpu"), torch.ones(4, 3), labels)


def test_a_word_that_the_model_does_not_know_is_the_rows_fault():
    model, labels = nn.Sequential(nn.Embedding(4, 3), nn.Flatten()), torch.zeros(2).long()
    rows = torch.tensor([[1], [9]])
    with pytest.raises(UnfitRowsError, match="no entry"):
        logits(model, forward_state(model, "cpu"), rows, labels)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError(),
        RuntimeError("you can't allocate memory: 9 bytes"),
        RuntimeError("can't start new thread"),
        OSError(28, "No space left on device"),
        SettingsError("a variable is missing"),
        TransientError("a system is away"),
    ],
)
def test_a_fault_of_the_machine_is_not_taken_for_one_of_the_model(error):
    model, labels = Failing(error), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(type(error)) as raised:
        logits(model, forward_state(model, "cpu"), torch.ones(4, 3), labels)
    assert raised.value is error


@given(
    rows=st.lists(st.tuples(st.floats(-40, 40), st.integers(0, 1)), min_size=1, max_size=6),
    column=st.booleans(),
)
def test_one_log_odds_for_each_row_has_the_binary_cross_entropy_and_its_gradient(rows, column):
    labels = torch.tensor([label for _, label in rows])
    odds = torch.tensor([odd for odd, _ in rows], dtype=torch.double).requires_grad_()
    scores = two_class_scores(odds.unsqueeze(1) if column else odds)
    ours = cross_entropy(scores, labels)
    expected = binary_cross_entropy_with_logits(odds, labels.double())
    torch.testing.assert_close(ours, expected)
    gradients = [torch.autograd.grad(loss, odds)[0] for loss in (ours, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("shape", [(3, 2), (1, 4), (3, 1, 1), (3, 1, 2)])
def test_scores_of_any_other_shape_come_back_as_they_are(shape):
    scores = torch.zeros(shape)
    assert two_class_scores(scores) is scores


@pytest.mark.parametrize("model", [nn.Linear(3, 1), nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))])
def test_a_binary_model_knows_the_classes_zero_and_one_and_no_other(model):
    state, inputs = forward_state(model, "cpu"), torch.ones(3, 3)
    scores = logits(model, state, inputs, torch.tensor([0, 1, 1]))
    odds = model(inputs).reshape(-1)
    assert torch.equal(scores, torch.stack([torch.zeros(3), odds], dim=1))
    with pytest.raises(DataError, match="model has 2 classes"):
        logits(model, state, inputs, torch.tensor([0, 1, 2]))


def test_a_score_without_an_axis_is_the_log_odds_of_one_row_and_of_no_more():
    class Squeezing(nn.Linear):
        def forward(self, inputs):
            return super().forward(inputs[:1]).squeeze()

    model = Squeezing(3, 1)
    state, odds = forward_state(model, "cpu"), model(torch.ones(1, 3))
    scores = logits(model, state, torch.ones(1, 3), torch.tensor([1]))
    assert scores.tolist() == [[0.0, odds.item()]]
    with pytest.raises(UnsupportedModelError, match="keeps the row dimension"):
        logits(model, state, torch.ones(2, 3), torch.tensor([1, 0]))


class Counted(nn.Module):
    """A model that keeps a whole number as a parameter, as some exported models do."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3)
        self.calls = nn.Parameter(torch.zeros(1, dtype=torch.int64), requires_grad=False)

    def forward(self, inputs):
        return self.layer(inputs) + self.calls


def test_whole_numbers_of_an_exported_model_are_not_trainable():
    assert trainable_names(export(Counted())) == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("words", ["std::bad_alloc", "Cannot allocate memory (12)"])
def test_memory_that_ran_out_is_known_by_its_words(words):
    assert is_out_of_memory(RuntimeError(f"unable to go on: {words}"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_frozen_embedding_may_have_been_sparse():
    words = nn.Embedding.from_pretrained(torch.ones(4, 3), freeze=True, sparse=True)
    model = nn.Sequential(words, nn.Flatten(), nn.Linear(3, 2))
    assert trainable_names(model) == ["2.weight", "2.bias"]
