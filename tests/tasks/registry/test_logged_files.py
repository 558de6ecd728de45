"""What is logged is loaded again if it is what was recorded and can run no code unasked."""

import sys
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from torch import nn

from tasks.registry import logged_files, model_files, trial
from tasks.registry.mlflow_registry import TRAINING_EXPERIMENT
from tasks.registry.model_files import Trust
from unlearning.errors import ChangedWeightsError, ModelError, UnsupportedModelError
from unlearning.model.weights import model_digest

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own formats
EXAMPLE = np.zeros((2, 3), dtype=np.float32)


@pytest.fixture
def log(services):
    """Logs a model, registers it as the next version, and gives its folder."""
    registry = services.registry

    def logged(module=None, **options):
        module = nn.Linear(3, 2) if module is None else module
        run = registry.ensure_run(TRAINING_EXPERIMENT, "effect", "a run")
        if options:
            with mlflow.start_run(run_id=run):
                info = mlflow.pytorch.log_model(
                    module, name="model", input_example=EXAMPLE, **options
                )
            uri = info.model_uri
        else:
            uri = logged_files.log_new(services.settings, run, module, EXAMPLE)
        registry.create_version("income", uri, run, {})
        place = registry.client.get_model_version_download_uri("income", "1")
        return registry, Path(place.removeprefix("file://"))

    return logged


def test_a_new_version_is_exported_and_comes_back_with_its_weights(log):
    module = nn.Linear(3, 2)
    registry, _ = log(module)
    loaded = model_files.load_model(registry, "income", 1)
    assert model_digest(loaded.module.state_dict()) == model_digest(module.state_dict())
    assert (loaded.is_exported, loaded.code) == (True, {})
    assert "data/model.pt2" in loaded.files
    assert not [path for path in loaded.files if "example" in path]


def tried(monkeypatch):
    """Names of what is tried in confinement from now on."""
    found = []
    monkeypatch.setattr(trial, "try_load", lambda _, name: found.append(name))
    return found


def test_what_this_process_exported_need_not_be_tried(log, monkeypatch):
    registry, _ = log()
    names = tried(monkeypatch)
    model_files.load_model(registry, "income", 1)
    assert names == []


@pytest.mark.parametrize("recorded", [None, {}], ids=["to be enrolled", "without a record"])
def test_what_another_one_exported_is_tried_also_in_the_place_of_ours(log, monkeypatch, recorded):
    registry, folder = log()
    other = torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),))
    torch.export.save(other, folder / "data" / "model.pt2")
    names = tried(monkeypatch)
    model_files.load_model(registry, "income", 1, recorded=recorded)
    assert names == ["income version 1"]


def test_files_that_were_changed_since_are_not_read(log, monkeypatch):
    registry, folder = log()
    recorded = model_files.load_model(registry, "income", 1).files
    file = folder / "data" / "model.pt2"
    file.write_bytes(file.read_bytes() + b"more")
    monkeypatch.setattr(mlflow.models.Model, "load", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ChangedWeightsError, match=r"data/model\.pt2 among them"):
        model_files.load_model(registry, "income", 1, recorded=recorded)


SHADOW = "import pathlib; pathlib.Path({!r}).touch()\n"


def test_code_beside_an_exported_model_shadows_nothing_unless_it_is_trusted(log, tmp_path):
    marker, code = tmp_path / "marker", tmp_path / "some_dependency.py"
    code.write_text(SHADOW.format(str(marker)))
    registry, _ = log(code_paths=[str(code)], serialization_format="pt2")
    before = list(sys.path)
    with pytest.raises(UnsupportedModelError, match=r"code of its own.*--trust-code"):
        model_files.load_model(registry, "income", 1)
    assert sys.path == before
    try:
        loaded = model_files.load_model(registry, "income", 1, trust=Trust(code=True))
        assert list(loaded.code) == ["some_dependency.py"]
        assert sys.path != before
    finally:
        sys.path[:] = before


def test_a_pickled_model_is_loaded_only_if_that_is_trusted(log):
    registry, _ = log(serialization_format="pickle")
    with pytest.raises(UnsupportedModelError, match="--trust-pickle"):
        model_files.load_model(registry, "income", 1, trust=Trust(code=True))
    assert not model_files.load_model(registry, "income", 1, trust=Trust(pickle=True)).is_exported


def test_a_pickle_beside_an_exported_model_is_still_a_pickle(log):
    registry, folder = log()
    torch.save(nn.Linear(3, 2), folder / "data" / "model.pth")
    with pytest.raises(UnsupportedModelError, match="is pickled"):
        model_files.load_model(registry, "income", 1)


def test_files_outside_of_the_models_folder_are_not_read(log):
    registry, folder = log()
    file = folder / "MLmodel"
    file.write_text(file.read_text().replace("model_data: data", "model_data: ../../elsewhere"))
    with pytest.raises(ModelError, match="outside of its own folder"):
        model_files.load_model(registry, "income", 1)
