"""Models that take and give what they like are erased from as they are."""

import numpy as np
import pytest
import torch
from deltalake import DeltaTable
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec
from torch import nn
from torch_models import (
    LENGTH,
    Described,
    Lstm,
    Masked,
    Owned,
    Probability,
    Recommender,
    Softmax,
    column,
    described,
    fractions,
    likes,
    masked,
    pictures,
    shades,
    texts,
)

from unlearning.config.model_interface import ModelInput, ModelInterface
from unlearning.errors import UnsupportedModelError

pytestmark = pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
NONE = np.zeros((2, LENGTH), dtype=np.float32)


def numbers(table):
    return [column(table, "words")]


def nll(probabilities, labels):
    return nn.functional.nll_loss(probabilities.float().clamp(min=1e-6).log(), labels)


def test_a_memory_over_ids_of_words_is_erased_from(services, tmp_path):
    world = Owned(services, tmp_path, texts)
    loss = nn.functional.cross_entropy
    example = np.zeros((2, LENGTH), dtype=np.int64)

    def words(table):
        return [column(table, "words", kind=torch.int64)]

    world.serve(Lstm(), lambda a, labels: loss(a.logits, labels), words, example=example)
    found = world.enroll()
    only = ModelInput(kind="int64")
    assert found.interface == ModelInterface(inputs=(only,), output="logits")
    assert found.dataset.whole == ("words",)
    world.erase()
    answer = world.served()(torch.zeros(2, LENGTH, dtype=torch.int64))
    assert answer.logits.shape == (2, 2)  # as before


@pytest.mark.parametrize("form", ["pt2", "pickle"])
def test_a_single_probability_is_erased_from(services, tmp_path, form):
    world = Owned(services, tmp_path, fractions)
    loss = nn.functional.binary_cross_entropy
    module = Probability()
    world.serve(module, lambda p, y: loss(p[:, 0], y.float()), numbers, form=form, example=NONE)
    found = world.enroll(loss="binary_cross_entropy")
    assert found.interface == ModelInterface(last_layer="sigmoid")
    world.erase()
    with torch.no_grad():
        answers = world.served()(torch.randn(50, LENGTH))
    assert 0 < float(answers.min()) < float(answers.max()) < 1


def test_probabilities_in_half_precision_are_erased_from(services, tmp_path):
    world = Owned(services, tmp_path, fractions)

    def halves(table):
        return [column(table, "words", kind=torch.bfloat16)]

    world.serve(Softmax().bfloat16(), nll, halves, example=NONE)
    half = ModelInput(kind="bfloat16")
    assert world.enroll().interface == ModelInterface(inputs=(half,), last_layer="softmax")
    world.erase()
    assert {value.dtype for value in world.served().state_dict().values()} == {torch.bfloat16}


LIKES = (("user", ("user_id",)), ("item", ("item_id",)), ("context", ("hour", "weekend")))


def liked(table):
    whole = [column(table, name, kind=torch.int64) for name in ("user_id", "item_id")]
    return [*whole, column(table, "hour", "weekend")]


def signature(*parts):
    specs: list = [
        TensorSpec(part.dtype, (-1, *part.shape[1:]), f"x{n}") for n, part in enumerate(parts)
    ]
    return ModelSignature(Schema(specs), Schema([TensorSpec(np.dtype("float32"), (-1, 2))]))


@pytest.mark.parametrize("form", ["pt2", "pickle"])
def test_a_recommender_with_an_embedding_of_each_is_erased_from(services, tmp_path, form):
    world = Owned(services, tmp_path, likes, inputs=LIKES)
    ids, context = np.zeros(2, dtype=np.int64), np.zeros((2, 2), dtype=np.float32)
    example = (ids, ids, context)
    told = {"signature": signature(*example)} if form == "pt2" else {}
    loss = nn.functional.cross_entropy
    world.serve(Recommender(), loss, liked, form=form, example=example, **told)
    found = world.enroll()
    assert found.interface.inputs == (
        ModelInput(name="user", cells=1, kind="int64"),
        ModelInput(name="item", cells=1, kind="int64"),
        ModelInput(name="context", cells=2, shape=(2,)),
    )
    assert found.dataset.whole == ("user_id", "item_id")
    world.erase()
    assert world.served()(*map(torch.from_numpy, example)).shape == (2, 2)


def test_words_with_a_mask_of_their_own_are_erased_from(services, tmp_path):
    world = Owned(services, tmp_path, masked, inputs=(("mask", ("mask",)), ("tokens", ("words",))))

    def given(table):
        tokens = column(table, "words", kind=torch.int64)
        return [tokens, column(table, "mask", kind=torch.bool)]

    loss = nn.functional.cross_entropy
    world.serve(Masked(), lambda a, labels: loss(a["logits"], labels), given, example=NONE)
    assert [one.kind for one in world.enroll().interface.inputs] == ["bool", "int64"]
    world.erase()


def test_arguments_that_the_model_does_not_have_are_refused_by_name(services, tmp_path):
    world = Owned(services, tmp_path, likes, inputs=(("who", ("user_id",)), *LIKES[1:]))
    loss = nn.functional.cross_entropy
    world.serve(Recommender(), loss, liked, example=NONE)
    with pytest.raises(UnsupportedModelError, match=r"who, item, .* takes user, item, context"):
        world.enroll()


def test_images_in_a_column_of_bytes_are_erased_from(services, tmp_path):
    shown = {"features": ("image",), "shape": (1, 4, 4), "scale": 255.0}
    world = Owned(services, tmp_path, pictures, **shown)
    module = nn.Sequential(nn.Conv2d(1, 4, 2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2))

    example = np.zeros((2, 1, 4, 4), dtype=np.float32)
    loss = nn.functional.cross_entropy
    world.serve(module, loss, lambda table: [shades(table)], form="pt2", example=example)
    assert world.enroll().interface == ModelInterface()
    world.erase()


def test_an_image_beside_other_inputs_is_erased_from_and_stays_in_no_example(services, tmp_path):
    inputs = (("image", ("image",)), ("hour", ("hour",)))
    shown = {"inputs": inputs, "shape": (1, 4, 4), "scale": 255.0}
    world = Owned(services, tmp_path, described, **shown)

    def given(table):
        return [column(table, "hour").unsqueeze(1), shades(table)]

    hours, images = (part[:2].numpy() for part in given(DeltaTable(world.table).to_pyarrow_table()))
    example = {"hour": hours, "image": images}
    world.serve(Described(), nn.functional.cross_entropy, given, example=example)
    assert world.enroll().interface.inputs == (
        ModelInput(name="image", cells=16, shape=(1, 4, 4)),
        ModelInput(name="hour", cells=1, shape=(1,)),
    )
    world.erase()
    (table,) = world.certificate("E-0")["tables"]
    assert table["examples_replaced"] == [{"model": "income", "version": 1}]
