"""A new version is logged with an example that is nobody's row."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tasks.attempts.input_examples import input_example
from tasks.datasets.rows import TableRows
from tasks.journal.events.enrollment import InputColumns
from tasks.registry.model_files import LoadedModel
from unlearning.config.model_interface import ModelInput, ModelInterface


def parent(example, module: nn.Module | None = None, is_exported=False):
    """What was loaded of a version with this example."""
    return LoadedModel(module or nn.Identity(), is_exported, None, example, None, {}, {})


@pytest.fixture
def forgotten(world):
    here = world()
    rows = TableRows(here.services.settings, here.first.dataset, 0, only=here.asked)
    return rows, here.first


def test_an_example_that_is_a_row_to_forget_is_replaced(forgotten):
    forget, enrolled = forgotten
    ((inputs, _),) = forget.chunks(100)
    mine, free = inputs[6:8].numpy(), np.full((2, 40), 3, np.float32)
    assert not input_example(parent(mine), forget, enrolled).any()
    assert input_example(parent(free), forget, enrolled) is free


def test_an_example_of_another_form_is_replaced_since_it_cannot_be_compared(forgotten):
    forget, enrolled = forgotten
    assert not input_example(parent(np.ones((2, 7))), forget, enrolled).any()


NAMED = (InputColumns("first", ("features",)),)


def test_an_example_by_argument_that_is_a_row_to_forget_is_replaced(forgotten):
    forget, enrolled = forgotten
    named = replace(enrolled, dataset=replace(enrolled.dataset, inputs=NAMED))
    ((inputs, _),) = forget.chunks(100)
    mine, free = {"first": inputs[6:8].numpy()}, {"first": np.full((2, 40), 3, np.float32)}
    assert not input_example(parent(mine), forget, named)["first"].any()
    assert input_example(parent(free), forget, named) is free
    assert not input_example(parent({"else": np.ones((2, 40))}), forget, named)["else"].any()


def test_an_example_of_one_argument_that_nobody_named_is_compared_as_it_is(forgotten):
    forget, enrolled = forgotten
    ((inputs, _),) = forget.chunks(100)
    mine, free = {"x": inputs[6:8].numpy()}, {"x": np.full((2, 40), 3, np.float32)}
    assert not input_example(parent(mine), forget, enrolled)["x"].any()
    assert input_example(parent(free), forget, enrolled) is free


PARTS = np.ones((2, 20)), np.ones((2, 20))


@pytest.mark.parametrize(
    "example",
    [
        dict(zip("ab", PARTS, strict=True)),
        {"first": np.ones((2, 40)), "mask": np.ones((2, 40))},
        {"first": np.ones(())},
        {"first": np.full((2, 40), "a text")},
    ],
    ids=["no order", "more arguments", "no rows", "texts"],
)
@pytest.mark.parametrize("names", [(), NAMED], ids=["unnamed", "named"])
def test_an_example_whose_arguments_nobody_can_compare_is_replaced(forgotten, example, names):
    forget, enrolled = forgotten
    asked = replace(enrolled, dataset=replace(enrolled.dataset, inputs=names))
    found = input_example(parent(example), forget, asked)
    assert found.keys() == example.keys()
    assert not any(part.astype(bool).any() for part in found.values())


class Both(nn.Module):
    """A model of two arguments."""

    def forward(self, second, first):
        return first + second


@pytest.mark.parametrize("is_exported", [True, False])
def test_an_export_of_several_arguments_has_zeros_of_each_in_its_order(forgotten, is_exported):
    forget, enrolled = forgotten
    inputs = (
        ModelInput(name="first", cells=3, shape=(3,)),
        ModelInput(name="second", cells=1, kind="int64"),
    )
    named = replace(enrolled, interface=ModelInterface(inputs=inputs))
    found = input_example(parent(None, Both(), is_exported), forget, named)
    if not is_exported:
        assert found is None
        return
    second, first = found
    assert (second.shape, second.dtype, first.shape) == ((2,), np.int64, (2, 3))


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "bfloat16", "int64"])
def test_where_there_was_none_it_is_zeros_of_the_numbers_that_the_model_takes(forgotten, kind):
    forget, enrolled = forgotten
    found = ModelInterface(inputs=(ModelInput(kind=kind),))
    asked = replace(enrolled, interface=found)
    example = torch.as_tensor(input_example(parent(None), forget, asked))
    assert example.shape == (2, 40)
    assert example.dtype == getattr(torch, kind)
    assert not example.any()
