"""Weights that do not load: damaged, or written for packages that are not installed here."""

import pickle

import mlflow
import pytest
import torch
from torch import nn

from tasks.registry.modules import read_module
from unlearning.errors import MissingDataError, SettingsError


def cut_off(data):
    return data[: len(data) // 2]


def flipped(data):
    middle = len(data) // 2
    return (
        data[:middle] + bytes(255 - one for one in data[middle : middle + 8]) + data[middle + 8 :]
    )


@pytest.fixture(params=["zip", "pickle"])
def weights(request, tmp_path, monkeypatch):
    """A directory of weights, read the way MLflow does."""
    file = tmp_path / "data" / "model.pth"
    file.parent.mkdir()
    torch.save(nn.Linear(40, 2), file, _use_new_zipfile_serialization=request.param == "zip")
    monkeypatch.setattr(
        mlflow.pytorch, "load_model", lambda *_, **__: torch.load(file, weights_only=False)
    )
    return file


@pytest.mark.parametrize("damage", [cut_off, lambda _: b"", lambda data: bytes(len(data))])
def test_damaged_weights_are_called_so(weights, damage):
    weights.write_bytes(damage(weights.read_bytes()))
    with pytest.raises(MissingDataError, match="damaged"):
        read_module(weights.parents[1], "income version 1")


FOREIGN = [
    RuntimeError("Expected archive version <= 0"),
    TypeError("unexpected keyword"),
    AttributeError("no such class"),
    pickle.PickleError("a newer protocol"),
]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_whole_weights_that_do_not_load_are_this_machines_matter(weights, monkeypatch, error):
    def refuse(*_, **__):
        raise error

    monkeypatch.setattr(mlflow.pytorch, "load_model", refuse)
    with pytest.raises(SettingsError, match=r"income version 1 .* installed here .* run again"):
        read_module(weights.parents[1], "income version 1")


def test_checksums_tell_damage_from_foreign_forms(tmp_path, monkeypatch):
    exported = torch.export.export(nn.Linear(40, 2), (torch.zeros(2, 40),))
    file = tmp_path / "model.pt2"
    torch.export.save(exported, file)
    monkeypatch.setattr(mlflow.pytorch, "load_model", lambda *_, **__: torch.export.load(file))
    assert read_module(tmp_path, "income version 1")
    file.write_bytes(flipped(file.read_bytes()))
    with pytest.raises(MissingDataError, match="damaged"):
        read_module(tmp_path, "income version 1")
