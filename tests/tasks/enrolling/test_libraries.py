"""A model of another library is recognised, and refused in one sentence where it does not fit."""

import sys
from dataclasses import replace

import cloudpickle
import mlflow
import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from other_libraries import FEATURES, PIPELINE, REGRESSOR, People
from torch import nn

from tasks.enrolling import libraries
from tasks.enrolling.checking import check_enrolment
from tasks.enrolling.libraries import (
    library_errors,
    signature_said,
    with_classes,
    with_library,
)
from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import enrolled_models
from tasks.registry.model_files import Trust
from tasks.registry.opaque.flavours import VersionForm
from unlearning.errors import DataError, RecipeError, UnfitRowsError, UnsupportedModelError


@pytest.fixture
def people(services, tmp_path):
    return People(services, tmp_path)


@pytest.fixture
def logged(people):
    people.log(people.trained(PIPELINE))
    return people


def features(source: ModelSource, *names: str) -> ModelSource:
    return replace(source, dataset=replace(source.dataset, features=names))


def test_its_columns_are_taken_with_their_types_and_it_is_always_retrained(logged):
    found = with_library(logged.services, logged.source(), 1)
    assert found.dataset.types == ("string", "int32", "double", "bool")
    assert found.unlearning.method == "retrain"


def test_its_signature_names_the_columns_where_nobody_does(people):
    inputs = Schema([ColSpec("integer", "age"), ColSpec("string", "job")])
    people.log(people.trained(PIPELINE), signature=ModelSignature(inputs))
    source = features(people.source(), "features")
    found = with_library(people.services, source, 1)
    assert found.dataset.features == ("age", "job")
    assert found.dataset.types == ("int32", "string")
    (said,) = signature_said(source, found)
    assert said.endswith("--features age job.")
    assert not list(signature_said(found, found))


@pytest.mark.parametrize(
    ("form", "features", "arguments"),
    [
        (VersionForm("", ("age", "hours")), ("age", "hours"), ()),
        (VersionForm("", ("age", "mask"), True), ("age", "mask"), ("age", "mask")),
        (VersionForm("", ("age",), True), ("age",), ()),
        (VersionForm("", ("input_ids", "mask"), True), ("features",), ()),
        (VersionForm("", ()), ("features",), ()),
    ],
    ids=["columns", "tensors, one of no column", "a tensor", "no column", "no names"],
)
def test_a_torch_model_takes_the_columns_of_its_signature_too(
    people, monkeypatch, form, features, arguments
):
    monkeypatch.setattr(libraries, "version_form", lambda *_: form)
    plain = replace(
        people.source(), dataset=replace(people.source().dataset, features=("features",))
    )
    found = with_library(people.services, plain, 1)
    assert found.dataset.features == features
    assert tuple(one.name for one in found.dataset.inputs) == arguments
    assert (found.dataset.types, found.unlearning) == ((), plain.unlearning)


def test_columns_that_are_not_there_are_left_to_the_look_at_the_table(logged):
    found = with_library(logged.services, features(logged.source(), "job", "nothing"), 1)
    assert found.dataset.types == ("string", "string")


def test_without_a_recipe_it_is_refused_with_the_line_to_type(logged):
    with pytest.raises(UnsupportedModelError, match="with --recipe FILE") as refused:
        logged.enroll(logged.source(code=""))
    assert refused.value.line == "--recipe FILE"
    assert not list(enrolled_models(logged.services.journal))


def test_shape_and_scale_are_not_for_it(people):
    spec = DatasetSpec(people.table, FEATURES, "label", "subject_id", types=("string",), scale=255)
    (error,) = library_errors(people.source(dataset=spec))
    assert "leave out --shape and --scale" in str(error)


def test_a_torch_model_is_left_alone(people):
    source, module = people.source(), nn.Linear(1, 1)
    assert list(library_errors(source)) == []
    assert with_classes(source, module) == (source, module)


def test_other_classes_than_it_knows_are_refused(logged):
    source = logged.source()
    other = replace(source, dataset=replace(source.dataset, classes=("rich", "poor")))
    with pytest.raises(DataError, match="knows 2 classes"):
        logged.enroll(other)


def test_a_regressor_is_no_classifier(people):
    people.log(people.trained(REGRESSOR, "wage"))
    with pytest.raises(UnsupportedModelError, match="--loss squared_error"):
        people.enroll()


class Hard(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return ["high"] * len(model_input)


def test_classes_in_place_of_numbers_are_refused_with_what_to_log(people):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    people.log(Hard(), mlflow.pyfunc, python_model=Hard())
    with pytest.raises(UnfitRowsError, match="with --classes"):
        people.enroll()
    source = people.source()
    named = replace(source, dataset=replace(source.dataset, classes=("high", "low")))
    with pytest.raises(UnsupportedModelError, match="pyfunc_predict_fn='predict_proba'"):
        people.enroll(named)


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        ("def train(rows, *, seed, init):\n    raise ValueError(rows)", "ValueError in line 2"),
        ("def train(rows, *, seed, init):\n    return 'a'", "no model of sklearn, but str"),
        ("def train(rows):\n    return 'a'", "does not take"),
    ],
    ids=["raises", "another library", "other arguments"],
)
def test_a_recipe_that_fails_or_makes_something_else_is_refused(logged, recipe, why):
    with pytest.raises(RecipeError, match=why):
        logged.enroll(logged.source(code=recipe))


def test_a_check_tells_what_was_recognised_and_everything_that_is_missing(logged):
    logged.services.registry.drop_alias("wages")
    source = logged.source(code="")
    found = check_enrolment(logged.services, source, None, Trust())
    assert [one.line for one in found.obstacles] == ["--promote", "--recipe FILE"]
    assert found.columns == ("job string", "age int32", "hours double", "member bool")
    assert found.class_names == ("high", "low")
    assert found.outlook is not None
    rungs = {one.name: one.why_not for one in found.outlook.rungs}
    assert "trained anew" in rungs["update"] or "retrain" in rungs["update"]
    assert "--recipe" in rungs["retrain"]
