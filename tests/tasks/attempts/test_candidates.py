from types import SimpleNamespace

import pytest

from tasks.attempts import candidates
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError


def test_a_forced_retrain_that_cannot_be_done_says_why_and_what_to_do(monkeypatch):
    def refuse(*_):
        raise UnsupportedModelError("Its dropout is lost; register it in pickled form.")

    monkeypatch.setattr(candidates, "unlearn", refuse)
    attempt = SimpleNamespace(
        model="income", method="retrain", reason="It would be approximate update 11 in a row."
    )
    with pytest.raises(UnsupportedModelError, match=r"must be.*update 11.*dropout.*enrol"):
        candidates._new_state(None, UnlearningConfig(method="retrain"), attempt)
    attempt.reason = ""
    with pytest.raises(UnsupportedModelError, match=r"^Its dropout"):
        candidates._new_state(None, UnlearningConfig(method="retrain"), attempt)
