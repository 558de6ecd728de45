import pytest
import torch

from tasks.environment.device import pick_device
from tasks.environment.settings import Settings
from unlearning.errors import SettingsError


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_without_a_gpu_the_cpu_is_taken_and_a_gpu_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device(Settings(device="auto")) == "cpu"
    with pytest.raises(SettingsError, match="there is no GPU"):
        pick_device(Settings(device="cuda"))


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_that_is_not_there_is_refused_before_any_work():
    for device in ("cuda", "cuda:1", "cpu"):
        assert pick_device(Settings(device=device)) == device
    assert pick_device(Settings(device="auto")) == "cuda"
    with pytest.raises(SettingsError, match="cuda:2, but there are 2 GPUs"):
        pick_device(Settings(device="cuda:2"))


@pytest.mark.usefixtures("two_gpus")
def test_every_rank_of_a_machine_takes_a_gpu_of_its_own(monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "r", "RANK": "5", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert pick_device(Settings(device="auto")) == "cuda:1"
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(SettingsError, match="Rank 2 of this machine finds 2 GPUs"):
        pick_device(Settings(device="auto"))
