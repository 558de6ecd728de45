"""A successor is its parent but for the weights; what the library writes besides is left out."""

from pathlib import Path

import pytest
import torch
from mlflow.models import Model
from safetensors.torch import load_file, save_file
from torch import nn

from tasks.registry.hugging_face.reading import FLAVOR, HubFiles
from tasks.registry.hugging_face.writing import SuccessorFlavor
from unlearning.errors import UnsupportedModelError

ADAPTER = "adapter_model.safetensors"


class Saving(nn.Module):
    """A module that saves itself as those of the library do."""

    def __init__(self, file):
        super().__init__()
        self.file, self.layer = file, nn.Linear(2, 2)

    def save_pretrained(self, folder, *, safe_serialization):
        assert safe_serialization
        place = Path(folder)
        place.mkdir(parents=True)
        save_file(dict(self.layer.state_dict()), place / self.file)
        (place / "config.json").write_text("another")


def saved(folder, module, **flavor):
    files = HubFiles(
        {FLAVOR: flavor, "python_function": {"loader_module": "mlflow.transformers"}},
        {"model/config.json": b"the parent's", "components/tokenizer/tokenizer.json": b"{}"},
        ("model/best.safetensors", "train.csv"),
        None,
    )
    SuccessorFlavor().save_model(
        str(folder), mlflow_model=Model(), module=module, files=files, signature=None
    )
    return Model.load(str(folder))


def test_files_and_flavours_are_the_parents_and_weights_are_not(tmp_path):
    module = Saving("model.safetensors")
    written = saved(tmp_path / "m", module, model_binary="model", task="text-classification")
    assert written.flavors[FLAVOR] == {"model_binary": "model", "task": "text-classification"}
    files = {str(p.relative_to(tmp_path / "m")) for p in tmp_path.rglob("*") if p.is_file()}
    assert files == {
        "MLmodel",
        "components/tokenizer/tokenizer.json",
        "model/config.json",
        "model/model.safetensors",
    }
    assert (tmp_path / "m/model/config.json").read_text() == "the parent's"
    weights = load_file(tmp_path / "m/model/model.safetensors")
    assert torch.equal(weights["weight"], module.layer.weight)


def test_it_is_said_once_which_files_a_successor_does_not_have(tmp_path, caplog):
    saved(tmp_path / "m", Saving("model.safetensors"), model_binary="model")
    (line,) = (one.getMessage() for one in caplog.records)
    assert line.startswith("2 files of the version before, model/best.safetensors among them, may")


def test_of_an_adapter_only_the_adapter_is_written(tmp_path):
    saved(tmp_path / "m", Saving(ADAPTER), peft_adaptor="peft", local_base_model_path="/base")
    assert [p.name for p in (tmp_path / "m").rglob("*.safetensors")] == [ADAPTER]
    assert (tmp_path / "m/peft" / ADAPTER).exists()


@pytest.mark.parametrize("flavor", [{"peft_adaptor": "../peft"}, {"model_binary": "../model"}])
def test_weights_are_written_nowhere_but_into_its_folder(tmp_path, flavor):
    with pytest.raises(UnsupportedModelError, match="outside of its own folder"):
        saved(tmp_path / "m", Saving(ADAPTER), **flavor)
    assert [one.name for one in tmp_path.iterdir()] == ["m"]
