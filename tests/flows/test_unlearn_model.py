"""One model in one batch: what follows a promotion, whatever hinders it."""

import pytest
from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows.unlearn_model import unlearn_model
from tasks import steps
from tasks.versions import retirement
from unlearning.errors import DataError
from unlearning.gate.gate import GateDecision


@pytest.mark.integration
def test_old_versions_that_cannot_be_retired_hold_up_no_erasure(home, prefect_api, monkeypatch):
    tried = []

    def refuse(_, model):
        tried.append(model)
        raise DataError("Its place is unknown; look at MLflow.")

    made = {
        "plan_unlearning": "attempt",
        "make_candidate": "",
        "evaluate_candidate": "",
        "judge_candidate": GateDecision(passed=True, outcome="forgotten", checks=()),
        "register_version": 2,
        "promote_version": None,
    }
    for name, result in made.items():
        monkeypatch.setattr(steps, name, lambda *_, result=result: result)
    monkeypatch.setattr(retirement, "retire", refuse)
    with temporary_settings({PREFECT_API_URL: prefect_api, PREFECT_LOGGING_TO_API_ENABLED: False}):
        assert unlearn_model("b-1", "income").status == "promoted"
    assert tried == ["income"]
