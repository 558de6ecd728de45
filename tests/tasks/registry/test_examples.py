"""Rows are found in input examples of every form that MLflow writes; neutral ones tell nothing."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models.utils import _Example
from scipy.sparse import csc_matrix, csr_matrix

from tasks.registry import examples, model_versions

ROWS = np.array([[1.0, 2.5, 0.0], [4.0, 0.0, 6.0]], dtype=np.float32)
NAMES = ("a", "b", "c")
FRAME = pd.DataFrame(ROWS, columns=list(NAMES))
FORMS = {
    "array": ROWS,
    "images": ROWS.reshape(2, 1, 3, 1),
    "frame": FRAME,
    "frame with more columns": FRAME[["c", "a", "b"]].assign(who="x"),
    "frame of lists": pd.DataFrame({"features": ROWS.tolist()}),
    "arrays by name": {name: ROWS[:, i] for i, name in enumerate(NAMES)},
    "records": [dict(zip(NAMES, row.tolist(), strict=True)) for row in ROWS],
    "one record": dict(zip(NAMES, ROWS[0].tolist(), strict=True)),
    "by row": csr_matrix(ROWS),
    "by column": csc_matrix(ROWS),
    "with parameters": (ROWS, {"temperature": 0.5}),
}


def written(form, tmp_path):
    """The example as MLflow writes it, in each of its files."""
    _Example(FORMS[form]).save(str(tmp_path))
    files = [tmp_path / name for name in examples.NAMES]
    return [json.loads(file.read_text()) for file in files if file.exists()]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore")
def test_a_row_is_found_whatever_the_form_of_the_example(form, tmp_path):
    features = ("features",) if form == "frame of lists" else NAMES
    for example in written(form, tmp_path):
        found = [np.asarray(v) for v in examples.vectors(example, features) if len(v) == 3]
        for row in ROWS[: 1 if form == "one record" else 2]:
            assert any(np.allclose(row, one) for one in found), (example, found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.filterwarnings("ignore")
def test_a_neutral_example_has_the_form_and_no_value_of_a_row(form, tmp_path):
    for example in written(form, tmp_path):
        neutral = examples.neutral(example)
        assert examples.neutral(neutral) == neutral
        assert not any(any(v) for v in examples.vectors(neutral, ("features", *NAMES)))
        assert json.dumps(neutral).count("{") == json.dumps(example).count("{")
        if isinstance(example, dict):
            assert neutral.get("columns") == example.get("columns")


@pytest.mark.filterwarnings("ignore")
def test_an_example_is_read_replaced_and_read_again(made):
    registry = made.services.registry
    found = model_versions.registered_versions(registry, "income")[1]
    place = model_versions.own_place(registry, "income", found).uri
    assert examples.read_examples(registry, place) == {}
    examples.write_example(registry, place, "input_example.json", {"inputs": [[1, 2]]})
    assert examples.read_examples(registry, place) == {"input_example.json": {"inputs": [[1, 2]]}}
    assert mlflow.artifacts.list_artifacts(artifact_uri=place)


def test_texts_are_found_however_deep_and_names_of_columns_are_none():
    split = {"columns": ["text"], "index": [0], "data": [["one"], ["two"]]}
    assert sorted(examples.texts(split)) == ["one", "two"]
    assert sorted(examples.texts([{"text": "one"}, "two", 3])) == ["one", "two"]
