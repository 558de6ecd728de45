"""Models of other libraries than torch forget people, from their log to the certificate."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
from deltalake import DeltaTable
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from other_libraries import FEATURES, PIPELINE, REGRESSOR, People
from small_tables import MARK, subject

from tasks.enrolling.gradient_ledgers import refresh_ledger
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import read_enrollment, read_model

GONE = range(6)


@pytest.fixture
def people(services, tmp_path):
    return People(services, tmp_path)


def certificates(people):
    store = people.services.store
    found = [json.loads(store.get(k.key)) for k in store.list_objects("certificates/")]
    return [one for one in found if "models" in one]


def requirements(people, version):
    uri = f"models:/wages/{version}/requirements.txt"
    return Path(mlflow.artifacts.download_artifacts(uri)).read_text().splitlines()


def assert_forgotten(people):
    left = DeltaTable(people.table).to_pyarrow_table()["subject_id"].to_pylist()
    assert not {subject(n) for n in GONE} & set(left)
    assert people.services.registry.alias_version("wages") == 2
    (model,) = {json.dumps(m) for one in certificates(people) for m in one["models"]}
    model = json.loads(model)
    assert (model["is_exact"], model["version"]) == (True, 2)
    assert "the owner's recipe" in model["trained_by"]


def test_a_pipeline_over_columns_of_text_forgets(people, monkeypatch):
    signature = ModelSignature(Schema([ColSpec("string", "job"), ColSpec("integer", "age")]))
    needed = ["scikit-learn", "skops"]
    people.log(people.trained(PIPELINE), signature=signature, pip_requirements=needed)
    enrolled = people.enroll()
    assert enrolled.dataset.classes == ("high", "low")
    assert refresh_ledger(people.services, "wages") == ""
    assert people.erase(GONE) == []
    assert_forgotten(people)
    logged = mlflow.models.get_model_info("models:/wages/2")
    assert logged.signature == signature
    assert {"scikit-learn", "skops"} <= set(requirements(people, 2))
    # What is served is what a training without them gives, and its files are on record.
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    served = mlflow.sklearn.load_model("models:/wages/2")
    people.training = people.training.slice(len(GONE))
    rows = people.training.select(FEATURES).to_pandas()
    expected = people.trained(PIPELINE).predict_proba(rows)
    assert np.allclose(served.predict_proba(rows), expected)
    assert 2 in read_model(people.services.journal, "wages").weights.files
    assert read_enrollment(people.services.journal, "wages").version == 2


@pytest.mark.filterwarnings("ignore:Operation with range")  # MLflow's of pandas
def test_a_regressor_forgets_and_its_example_of_people_is_gone(people, tmp_path):
    example = people.training.select([*FEATURES]).slice(0, 3).to_pandas()
    example["job"] = example["job"].astype(object)
    people.log(people.trained(REGRESSOR, "wage"), input_example=example)
    spec = DatasetSpec(people.table, FEATURES, "wage", "subject_id", target="number")
    source = people.source(REGRESSOR, dataset=spec, loss="squared_error")
    enrolled = people.enroll(source)
    assert enrolled.interface.tolerance > 0
    assert people.erase(GONE) == []
    assert_forgotten(people)
    kept = [p.read_text() for p in tmp_path.rglob("*input_example.json")]
    assert kept
    assert not [text for text in kept if "baker" in text or "driver" in text]
    assert MARK not in "".join(kept)


PYTHON = '''\
import mlflow
import numpy as np


class Means(mlflow.pyfunc.PythonModel):
    """The share of each class among people of the same job."""

    def __init__(self, shares):
        self.shares = shares

    def predict(self, context, model_input, params=None):
        high = model_input["job"].map(self.shares).fillna(0.5).to_numpy()
        return np.stack([high, 1 - high], axis=1)


def train(rows, *, seed, init):
    table = rows.to_pandas()
    return Means((table["label"] == "high").groupby(table["job"]).mean().to_dict())
'''


def test_a_model_of_plain_python_forgets(people):
    model = people.trained(PYTHON)
    people.log(model, mlflow.pyfunc, python_model=model)
    spec = DatasetSpec(people.table, ("job",), "label", "subject_id", classes=("high", "low"))
    people.enroll(people.source(PYTHON, dataset=spec))
    assert people.erase(GONE) == []
    assert_forgotten(people)
