"""One helper without secrets tries every archive, and another one takes its place if it dies."""

import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from tasks.registry import trial
from tasks.registry.confined_load import FAILED
from unlearning.errors import SettingsError, UnsupportedModelError


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    file = tmp_path_factory.mktemp("sound") / "model.pt2"
    torch.export.save(torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),)), file)
    return file


def helper():
    (found,) = trial._helpers  # noqa: SLF001 - its process is what is looked at
    return found


def test_the_helper_has_nobodys_secrets(sound, monkeypatch):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", "a" * 64)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    trial.try_load(sound, "income version 1")
    environment = Path(f"/proc/{helper().pid}/environ").read_bytes()
    assert b"EXPUNGE" not in environment
    assert b"AWS" not in environment


def test_one_helper_serves_many_and_is_replaced_when_it_dies(sound):
    trial.try_load(sound, "income version 1")
    first = helper()
    trial.try_load(sound, "income version 1")
    assert helper() is first
    first.kill()
    first.wait()
    trial.try_load(sound, "income version 1")
    assert helper() is not first


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ((-signal.SIGALRM, ""), SettingsError, "within 300 seconds"),
        ((-signal.SIGXCPU, ""), SettingsError, "faster machine"),
        ((-signal.SIGKILL, ""), MemoryError, "^$"),
        ((FAILED, "MemoryError"), MemoryError, "^$"),
        ((-signal.SIGSYS, ""), UnsupportedModelError, "reaches for files"),
    ],
)
def test_each_end_of_a_trial_has_its_reason(monkeypatch, answer, error, said):
    monkeypatch.setattr(trial, "_ask", lambda _: answer)
    with pytest.raises(error, match=said):
        trial.try_load(Path("model.pt2"), "income version 1")


def test_what_does_not_load_is_told_apart_from_what_reaches_out(tmp_path):
    file = tmp_path / "model.pt2"
    file.write_bytes(b"no archive")
    with pytest.raises(RuntimeError):
        trial.try_load(file, "income version 1")
