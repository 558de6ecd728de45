import json

import pytest
from mlflow import MlflowClient
from terminal import request

pytestmark = pytest.mark.integration

TIGHT = "budget.max_share = 0.12\nbudget.max_updates = 5\n"


def champion_tags(terminal) -> dict[str, str]:
    client = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}")
    found = client.get_model_version_by_alias("income", "champion")
    return {"version": str(found.version), "run": str(found.run_id), **found.tags}


def ask(terminal, numbers: range) -> str:
    terminal.submit(f"from-{numbers.start}.jsonl", [request(i) for i in numbers])
    return terminal.expunge("run")


def deletions(terminal) -> dict[str, int]:
    return terminal.status()["models"][0]["deletions"]


@pytest.mark.slow
def test_a_spent_budget_forces_a_retrain_that_the_gate_judges_too(terminal):
    terminal.train(options=TIGHT)
    ask(terminal, range(150))
    tags = champion_tags(terminal)
    assert tags["expunge.method"] == "calibrated"
    assert tags["expunge.forgotten_since_training"] == "150"
    assert tags["expunge.updates_since_training"] == "1"
    assert deletions(terminal) == {"trained_rows": 1500, "forgotten": 150, "updates": 1}

    # Another policy is no new training: what was spent stays spent.
    terminal.expunge("enroll", "income", *terminal.source(TIGHT + RETRAINED_AS_TRAINED))
    assert deletions(terminal) == {"trained_rows": 1500, "forgotten": 150, "updates": 1}

    printed = ask(terminal, range(150, 300))

    assert "by a retrain" in printed
    assert "gate passed" in printed
    tags = champion_tags(terminal)
    assert tags["version"] == "3"
    assert tags["expunge.method"] == "retrain"
    assert tags["expunge.forgotten_since_training"] == "0"
    assert tags["expunge.updates_since_training"] == "0"
    assert deletions(terminal) == {"trained_rows": 1200, "forgotten": 0, "updates": 0}
    params = MlflowClient(f"sqlite:///{terminal.home / 'mlflow.db'}").get_run(tags["run"]).data
    assert params.params["method"] == "retrain"
    assert "300 of 1500" in params.params["reason"]
    assert params.metrics["mia_auc_after"] < 0.55
    check_certificates(terminal)


RETRAINED_AS_TRAINED = """
[unlearning.retraining]
epochs = 60
batch_size = 64
learning_rate = 0.003
"""


def check_certificates(terminal):
    first, second = (
        json.loads((terminal.home / f"store/certificates/CASE-{n:05d}.json").read_text())
        for n in (7, 200)
    )
    assert [m["is_exact"] for m in first["models"]] == [False]
    assert [m["is_exact"] for m in second["models"]] == [True]
