"""A successor is saved as its parent was."""

import json

import mlflow
import pytest
import torch
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.linear_model import LogisticRegression

from tasks.enrolling.recipes.saved_form import saved_code, saved_form
from tasks.registry.opaque.archive import packed
from unlearning.model.opaque import OpaqueModel

MODEL = LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])


def test_its_owner_s_own_code_is_found(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1")
    code = [str(tmp_path / "mine.py")]
    mlflow.sklearn.save_model(MODEL, tmp_path / "m", pip_requirements=[], code_paths=code)
    files = torch.frombuffer(bytearray(packed(tmp_path / "m")), dtype=torch.uint8)
    model = OpaqueModel(files, lambda files, rows: rows, "sklearn")
    assert saved_code(model) == {"mine.py": b"x = 1"}


def form(folder, **options):
    mlflow.sklearn.save_model(MODEL, folder, **options)
    files = torch.frombuffer(bytearray(packed(folder)), dtype=torch.uint8)
    return json.loads(saved_form(OpaqueModel(files, lambda files, rows: rows, "sklearn")))


@pytest.fixture(autouse=True)
def _allowed(monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")


def test_its_options_signature_and_requirements_are_the_parents(tmp_path):
    signature = ModelSignature(Schema([ColSpec("double", "age")]))
    found = form(
        tmp_path / "m",
        serialization_format="cloudpickle",
        pyfunc_predict_fn="predict_proba",
        signature=signature,
        pip_requirements=["scikit-learn==1.9.1"],
    )
    assert found["library"] == "sklearn"
    assert found["options"]["serialization_format"] == "cloudpickle"
    assert found["options"]["pyfunc_predict_fn"] == "predict_proba"
    assert ModelSignature.from_dict(found["signature"]) == signature
    assert "scikit-learn==1.9.1" in found["requirements"]


def test_what_a_parent_does_not_say_is_left_to_mlflow(tmp_path):
    found = form(tmp_path / "m", pip_requirements=[])
    assert found["signature"] is None
    assert found["options"]["serialization_format"] == "skops"
