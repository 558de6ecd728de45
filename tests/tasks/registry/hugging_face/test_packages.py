"""Libraries that few models need are asked for when one is met."""

import sys
from types import SimpleNamespace

import pytest

from tasks.registry.hugging_face.packages import library, quiet
from unlearning.errors import SettingsError


def test_one_that_is_missing_is_named_with_the_model_that_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SettingsError, match="mails version 2 needs the package transformers"):
        library("transformers", "mails version 2")


def test_its_speech_comes_back_after_a_quiet_block(monkeypatch):
    said = []
    speech = SimpleNamespace(
        get_verbosity=lambda: 20,
        is_progress_bar_enabled=lambda: True,
        set_verbosity_error=lambda: said.append("error"),
        set_verbosity=said.append,
        disable_progress_bar=lambda: said.append("no bar"),
        enable_progress_bar=lambda: said.append("bar"),
    )
    module = SimpleNamespace(utils=SimpleNamespace(logging=speech))
    monkeypatch.setitem(sys.modules, "transformers", module)
    with quiet():
        assert said == ["error", "no bar"]
    assert said == ["error", "no bar", 20, "bar"]


def test_nothing_is_imported_to_be_quiet(monkeypatch):
    monkeypatch.delitem(sys.modules, "transformers", raising=False)
    with quiet():
        pass
    assert "transformers" not in sys.modules
