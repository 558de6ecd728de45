"""A model of another library answers from confinement, and nothing else than it should."""

import sys
from pathlib import Path

import cloudpickle
import mlflow
import numpy as np
import pytest
import torch
from other_libraries import CLASSES, FEATURES, PIPELINE, people
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.opaque.archive import packed
from tasks.registry.opaque.asked import Asked
from tasks.registry.opaque.cells import cell_types, encoded
from tasks.registry.opaque.scoring import Described, asked_as, described, opaque_model
from unlearning.errors import UnsupportedModelError

ROWS = people(60)
TYPES = cell_types(ROWS.schema, FEATURES)
SPEC = DatasetSpec("file:///t", FEATURES, "label", "subject_id", types=TYPES, classes=CLASSES)
WEIGHTS = bytes(range(100, 200)) * 3
CELLS = encoded(ROWS, FEATURES, TYPES)


class Weighed(mlflow.pyfunc.PythonModel):
    """Knows its weights from a file, which it reads when it is loaded, or when it is asked."""

    def __init__(self, when):
        self.when = when

    def load_context(self, context):
        if self.when == "loaded":
            self.weights = Path(context.artifacts["weights"]).read_bytes()

    def predict(self, context, model_input, params=None):
        if self.when == "asked":
            self.weights = Path(context.artifacts["weights"]).read_bytes()
        return [self.weights[0] / 200] * len(model_input)


def weighed(when, folder):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    (folder / "weights.bin").write_bytes(WEIGHTS)
    artifacts = {"weights": str(folder / "weights.bin")}
    mlflow.pyfunc.save_model(
        folder / "m", python_model=Weighed(when), artifacts=artifacts, pip_requirements=[]
    )
    return packed(folder / "m")


def saved(model, folder):
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    mlflow.sklearn.save_model(
        model, folder, pip_requirements=[], serialization_format="cloudpickle"
    )
    return packed(folder)


def reaching(frame):
    from pathlib import Path

    try:
        return [[float(len(Path("/etc/hostname").read_text()) > 0)]] * len(frame)
    except OSError:
        return [[0.0]] * len(frame)


def reading(frame):
    raise ValueError(str(frame))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    found: dict = {}
    exec(PIPELINE, found)  # noqa: S102
    model = found["train"](ROWS.select([*FEATURES, "label"]), seed=0, init=None)
    return model, saved(model, tmp_path_factory.mktemp("model") / "m")


def asked(services, files, spec=SPEC):
    return opaque_model(services.settings, files, Asked("wages", spec), "sklearn")


def test_it_answers_as_it_does_to_its_owner(services, served):
    model, files = served
    expected = model.predict_proba(ROWS.select(FEATURES).to_pandas())
    found = asked(services, files)(CELLS)
    assert np.allclose(found.exp().numpy(), expected)
    assert found.dtype == torch.float64


def test_it_says_what_it_is_and_is_asked_anew_with_other_classes(services, served):
    module = asked(services, served[1])
    assert described(module) == Described("Pipeline", CLASSES, predicts_number=False)
    turned = asked_as(module, DatasetSpec(**{**spec_facts(), "classes": CLASSES[::-1]}))
    assert torch.equal(turned(CELLS).flip(1), module(CELLS))
    assert described(torch.nn.Linear(1, 1)) is None


def spec_facts():
    return {name: getattr(SPEC, name) for name in SPEC.__dataclass_fields__}


def test_other_classes_and_other_forms_are_refused(services, served):
    others = DatasetSpec(**{**spec_facts(), "classes": ("a", "b")})
    with pytest.raises(UnsupportedModelError, match="knows other classes"):
        asked(services, served[1], others)(CELLS)
    number = DatasetSpec(**{**spec_facts(), "target": "number", "classes": ()})
    with pytest.raises(UnsupportedModelError, match="does not give one number for each row"):
        asked(services, served[1], number)(CELLS)


def test_its_errors_quote_no_row_and_it_reaches_nothing(services, tmp_path):
    model = make_pipeline(FunctionTransformer(reading), DecisionTreeClassifier())
    model.steps[1][1].fit([[0.0], [1.0]], list(CLASSES))
    with pytest.raises(UnsupportedModelError) as refused:
        asked(services, saved(model, tmp_path / "one"))(CELLS)
    assert str(refused.value).startswith("The model wages raises ValueError; see that it takes")
    model.steps[0] = ("reach", FunctionTransformer(reaching))
    model.steps[1][1].fit([[0.0], [1.0]], ["high", "low"])
    found = asked(services, saved(model, tmp_path / "two"))(CELLS)
    assert found.argmax(1).tolist() == [0] * len(ROWS)


def test_no_weights_of_a_model_lie_on_the_disk_once_it_is_loaded(services, tmp_path):
    module = asked(services, weighed("loaded", tmp_path))
    assert module(CELLS).exp().numpy()[:, 1] == pytest.approx(0.5)
    there = [one for one in services.settings.home.rglob("*") if one.is_file()]
    assert len(there) > 0
    assert not any(WEIGHTS in one.read_bytes() for one in there)


def test_a_model_that_reads_its_files_later_is_refused_with_what_to_do(services, tmp_path):
    with pytest.raises(UnsupportedModelError, match=r"off the disk .* read them in load_context"):
        asked(services, weighed("asked", tmp_path))(CELLS)
