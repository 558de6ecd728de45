"""What libraries answer becomes class scores, or is refused for what it is."""

import json
import shutil
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression  # pyright: ignore[reportAttributeAccessIssue]
from sklearn.svm import LinearSVC

from tasks.registry.opaque import scoring_process
from tasks.registry.opaque.scoring_process import LEAST, RefusalError, _Model, answer

ROWS = pd.DataFrame({"a": range(40), "b": [1.0, 2.0] * 20})
LABELS = ["no", "yes"] * 20


def asked(model, tmp_path, flavour="sklearn", classes=("no", "yes"), target="class", rows=ROWS):
    table = pa.Table.from_pandas(rows, preserve_index=False)
    file = tmp_path / "rows.arrow"
    with pa.ipc.new_file(str(file), table.schema) as writer:
        writer.write_table(table)
    question = {"rows": str(file), "classes": list(classes), "target": target}
    return _Model(model, flavour).answered(question)


def forest(labels=LABELS):
    return RandomForestClassifier(5, random_state=0).fit(ROWS, labels)


def test_probabilities_become_logarithms_that_are_cut_off(tmp_path):
    found = asked(forest(), tmp_path)
    expected = np.log(np.clip(forest().predict_proba(ROWS), LEAST, 1))
    assert np.array_equal(found, expected)
    assert found.min() == pytest.approx(np.log(LEAST))


def test_columns_come_in_the_order_of_the_classes(tmp_path):
    found = asked(forest(), tmp_path, classes=("yes", "no"))
    assert np.array_equal(found[:, ::-1], asked(forest(), tmp_path))


def test_a_class_that_it_never_saw_has_no_chance(tmp_path):
    found = asked(forest(), tmp_path, classes=("no", "yes", "maybe"))
    assert np.all(found[:, 2] <= found[:, :2].min(axis=1))
    single = asked(forest(["no"] * 40), tmp_path)
    assert np.allclose(single, [0, np.log(LEAST)])


def test_classes_that_it_knows_by_number_have_the_names_of_the_table(tmp_path):
    numbered = asked(forest([0, 1] * 20), tmp_path)
    assert np.array_equal(numbered, asked(forest(), tmp_path))


def test_other_classes_than_are_known_are_refused(tmp_path):
    with pytest.raises(RefusalError, match="classes"):
        asked(forest(), tmp_path, classes=("a", "b"))


def test_a_margin_is_one_of_two_scores(tmp_path):
    model = LinearSVC().fit(ROWS, LABELS)
    found = asked(model, tmp_path)
    assert np.allclose(found[:, 1], model.decision_function(ROWS))
    assert not found[:, 0].any()


def test_columns_are_given_in_the_order_of_the_training(tmp_path):
    assert np.array_equal(
        asked(forest(), tmp_path, rows=ROWS.loc[:, ["b", "a"]]), asked(forest(), tmp_path)
    )


def test_a_number_is_given_for_each_row(tmp_path):
    model = LinearRegression().fit(ROWS, ROWS["b"])
    assert np.allclose(asked(model, tmp_path, target="number"), ROWS["b"])
    assert _Model(model, "sklearn").described()["predicts"] == "number"
    with pytest.raises(RefusalError, match="hard"):
        asked(model, tmp_path)


class Python:
    """As MLflow loads a model of any kind."""

    def __init__(self, answer):
        self._answer = answer

    def predict(self, rows):
        return self._answer


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (pd.DataFrame({"no": [0.75] * 40, "yes": [0.25] * 40}), np.log([0.75, 0.25])),
        ([0.25] * 40, np.log([0.75, 0.25])),
        (np.array([[3.0, -1.0]] * 40), [3.0, -1.0]),
        (np.array([[0.9, 0.3]] * 40), [0.9, 0.3]),
    ],
    ids=["frame", "one probability", "scores", "scores that are no shares"],
)
def test_numbers_of_any_model_become_scores(tmp_path, given, first):
    found = asked(Python(given), tmp_path, "pyfunc")
    assert found.shape == (40, 2)
    assert np.allclose(found[0], first)


def test_what_a_row_means_does_not_depend_on_those_beside_it(tmp_path):
    given = np.array([[0.75, 0.25], *[[3.0, -1.0]] * 39])
    found = asked(Python(given), tmp_path, "pyfunc")
    assert np.allclose(found[0], np.log([0.75, 0.25]))
    assert np.allclose(found[1], [3.0, -1.0])


def test_one_number_that_is_no_probability_is_refused(tmp_path):
    with pytest.raises(RefusalError, match="odds"):
        asked(Python([0.5, 2.0] * 20), tmp_path, "pyfunc")


@pytest.mark.parametrize("given", [["no"] * 40, [1] * 40, np.zeros((40, 2), int)], ids=str)
def test_classes_in_place_of_numbers_are_refused(tmp_path, given):
    with pytest.raises(RefusalError, match="hard"):
        asked(Python(given), tmp_path, "pyfunc")


@pytest.mark.parametrize("given", [np.zeros((39, 2)), np.zeros((40, 2, 2)), np.zeros((40, 3))])
def test_another_number_of_rows_or_classes_is_refused(tmp_path, given):
    with pytest.raises(RefusalError, match="unfit"):
        asked(Python(given + 0.5), tmp_path, "pyfunc")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a worker, with nothing loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scoring_process, "_models", {})
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
    return tmp_path


def packed(log, **options):
    """The files of a forest, as a worker is given them."""
    shutil.rmtree("m", ignore_errors=True)
    log.save_model(path="m", pip_requirements=[], **options)
    described = json.dumps(mlflow.models.Model.load("m").to_dict(), default=str)
    with zipfile.ZipFile("files.zip", "w") as archive:
        for file in Path("m").rglob("*"):
            if file.is_file() and file.name != "MLmodel":
                archive.write(file, file.relative_to("m"))
        archive.writestr("MLmodel", described)


def load(name):
    return answer({"do": "load", "model": name, "files": "files.zip"})


def test_a_model_is_loaded_once_and_asked_again(folder):
    packed(mlflow.sklearn, sk_model=forest(), serialization_format="pickle")
    score = {"do": "score", "model": "d", "rows": "rows.arrow", "target": "class", "classes": []}
    assert answer(score) == {"outcome": "unknown"}
    assert load("d") == {
        "kind": "RandomForestClassifier",
        "classes": ["no", "yes"],
        "predicts": "",
    }
    with pa.ipc.new_file("rows.arrow", pa.Table.from_pandas(ROWS).schema) as writer:
        writer.write_table(pa.Table.from_pandas(ROWS))
    assert answer(score) == {"outcome": "scored", "shape": [40, 2]}
    assert np.fromfile("scores.bin").shape == (80,)


def test_files_of_a_model_that_is_in_memory_are_gone_but_for_its_code(folder):
    (folder / "helper.py").write_text("")
    code = {"code_paths": [str(folder / "helper.py")]}
    packed(mlflow.sklearn, sk_model=forest(), serialization_format="pickle", **code)
    load("d")
    assert [one.name for one in Path("models/d").rglob("*") if one.suffix != ".pyc"] == [
        "code",
        "helper.py",
    ]


class Halves(mlflow.pyfunc.PythonModel):
    """Answers every row with a half."""

    def predict(self, context, model_input, params=None):
        return [0.5] * len(model_input)


@pytest.mark.parametrize("log", [True, False])
def test_code_of_any_other_model_is_gone_once_it_makes_room_for_another(folder, monkeypatch, log):
    monkeypatch.setattr(scoring_process, "_MOST_MODELS", 1)
    (folder / "helper.py").write_text("")
    code = {"code_paths": [str(folder / "helper.py")]} if log else {}
    packed(mlflow.pyfunc, python_model=Halves(), **code)
    load("d")
    assert [one.name for one in Path("models").glob("d/*")] == (["code"] if log else [])
    load("e")
    assert [one.name for one in Path("models").iterdir()] == (["e"] if log else [])


def test_files_of_a_model_that_cannot_be_loaded_are_gone(folder):
    with zipfile.ZipFile("files.zip", "w") as archive:
        archive.writestr("MLmodel", "{}")
    with pytest.raises(KeyError):
        load("d")
    assert list(Path("models").iterdir()) == []
