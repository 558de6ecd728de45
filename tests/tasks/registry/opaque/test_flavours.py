"""A version's library is read off MLflow's own small file."""

import pytest
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from other_libraries import PIPELINE, People

from tasks.registry.opaque.flavours import library_of, version_form


@pytest.mark.parametrize(
    ("flavours", "library"),
    [
        (("sklearn", "python_function"), "sklearn"),
        (("xgboost", "python_function"), "xgboost"),
        (("catboost", "python_function"), "python_function"),
        (("pytorch", "python_function"), ""),
        (("transformers", "python_function"), ""),
        ((), ""),
    ],
)
def test_a_model_is_asked_by_its_own_library_if_it_is_not_torch_s(flavours, library):
    assert library_of({name: {} for name in flavours}) == library


def test_a_version_tells_its_library_and_its_inputs(services, tmp_path):
    people = People(services, tmp_path)
    kinds = {"job": "string", "age": "integer", "hours": "double", "member": "boolean"}
    inputs = Schema([ColSpec(kind, name) for name, kind in kinds.items()])
    people.log(people.trained(PIPELINE), signature=ModelSignature(inputs))
    found = version_form(services.registry, "wages", 1)
    assert found.library == "sklearn"
    assert found.inputs == ("job", "age", "hours", "member")
