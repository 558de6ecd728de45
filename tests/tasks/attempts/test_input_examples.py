"""A new version is logged with an example that is nobody's row."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tasks.attempts.input_examples import input_example
from tasks.datasets.rows import TableRows
from unlearning.config.model_interface import ModelInput, ModelInterface


@pytest.fixture
def forgotten(world):
    here = world()
    rows = TableRows(here.services.settings, here.first.dataset, 0, only=here.asked)
    return rows, here.first


def test_an_example_that_is_a_row_to_forget_is_replaced(forgotten):
    forget, enrolled = forgotten
    ((inputs, _),) = forget.chunks(100)
    mine, free = inputs[6:8].numpy(), np.full((2, 40), 3, np.float32)
    assert not input_example(mine, forget, enrolled).any()
    assert input_example(free, forget, enrolled) is free


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "bfloat16", "int64"])
def test_where_there_was_none_it_is_zeros_of_the_numbers_that_the_model_takes(forgotten, kind):
    forget, enrolled = forgotten
    found = ModelInterface(inputs=(ModelInput(kind=kind),))
    example = torch.as_tensor(input_example(None, forget, replace(enrolled, interface=found)))
    assert example.shape == (2, 40)
    assert example.dtype == getattr(torch, kind)
    assert not example.any()
