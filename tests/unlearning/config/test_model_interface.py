"""How a model is asked: plain unless somebody says otherwise."""

from unlearning.config.model_interface import ModelInterface


def test_an_interface_is_plain_unless_something_is_said():
    assert ModelInterface().is_plain
    assert not ModelInterface(tolerance=0.5).is_plain


def test_a_tolerance_means_that_a_number_is_predicted():
    assert ModelInterface(tolerance=0.5).answers_with_number
    assert not ModelInterface().answers_with_number
