"""What a recipe made is saved as MLflow does if it is of the library that is served."""

import json
import sys
from types import ModuleType

import mlflow
import pytest
from sklearn.linear_model import LogisticRegression

from tasks.enrolling.recipes.saving_process import CODE, FORM, MODEL, save

FITTED = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "recipe", ModuleType("recipe"))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    return tmp_path


def told(folder, library, **options):
    form = {"library": library, "options": options, "signature": None, "requirements": ["a==1"]}
    (folder / FORM).write_text(json.dumps(form))


def test_an_estimator_is_saved_in_the_form_of_its_parent(folder):
    told(folder, "sklearn", serialization_format="pickle", pyfunc_predict_fn="predict_proba")
    assert save(FITTED) is None
    found = mlflow.models.Model.load(MODEL)
    assert found.flavors["sklearn"]["serialization_format"] == "pickle"
    assert found.flavors["python_function"]["predict_fn"] == "predict_proba"
    assert not list((folder / MODEL).glob("*input_example*"))
    assert "a==1" in (folder / MODEL / "requirements.txt").read_text().splitlines()
    assert mlflow.sklearn.load_model(MODEL).predict([[1.0]]) == ["yes"]


def test_its_owner_s_own_code_goes_along(folder):
    (folder / CODE).mkdir()
    (folder / CODE / "mine.py").write_text("x = 1")
    told(folder, "sklearn")
    assert save(FITTED) is None
    assert (folder / MODEL / "code" / "mine.py").read_text() == "x = 1"


def test_a_model_of_another_library_is_not(folder):
    told(folder, "sklearn")
    assert save("a string") == {"outcome": "other library", "what": "str"}
    told(folder, "python_function")
    assert save(3) == {"outcome": "other library", "what": "int"}


def test_a_python_model_is_saved_as_one(folder):
    class Python(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return [[0.5, 0.5]] * len(model_input)

    told(folder, "python_function")
    assert save(Python()) is None
    assert mlflow.pyfunc.load_model(MODEL).predict([[1.0]]) == [[0.5, 0.5]]
