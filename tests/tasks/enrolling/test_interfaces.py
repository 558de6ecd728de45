"""Models that answer with a number, from log_model to certificate."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import recipes_of_owners as owners
import torch
from deltalake import DeltaTable, write_deltalake
from erased_world import TRAINING, Unreported
from logged_models import log_model
from small_tables import subject
from torch import nn

from tasks import pipeline
from tasks.certificates.certificates import certificate_key
from tasks.enrolling import enroll
from tasks.enrolling.checking import check_enrolment
from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import read_batch
from tasks.registry.model_files import Trust, load_model
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError

WEIGHTS = np.array([1.0, -2.0, 0.5, 0.0, 3.0])
RECIPE = """\
import torch
from torch import nn


def train(rows, *, seed, init):
    names = ["a", "b", "c", "d", "e"]
    inputs = torch.tensor([rows[n].to_numpy() for n in names], dtype=torch.float32).T
    wanted = torch.tensor(rows["price"].to_numpy(), dtype=torch.float32)
    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(inputs).squeeze(1), wanted).backward()
        optimiser.step()
    return model
"""


def rows(count: int, first: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    values = random.normal(size=(count, 5))
    price = values @ WEIGHTS + 0.5 * random.normal(size=count)
    ids = [subject(first + n) for n in range(count)]
    columns = dict(zip("abcde", values.T, strict=True))
    return pa.table({"subject_id": ids, **columns, "price": price})


def model() -> nn.Module:
    space: dict[str, Any] = {}
    exec(RECIPE, space)  # noqa: S102 - the owner's own training
    torch.manual_seed(0)
    return space["train"](rows(240, 0, 1), seed=0, init=None)


def source(folder, **changes) -> ModelSource:
    places = [folder / "train", folder / "holdout"]
    write_deltalake(places[0], rows(240, 0, 1))
    write_deltalake(places[1], rows(200, 240, 2))
    given = {
        "model": "prices",
        "dataset": DatasetSpec(
            places[0].as_uri(), tuple("abcde"), "price", "subject_id", target="number"
        ),
        "dataset_version": None,
        "holdout": places[1].as_uri(),
        "unlearning": UnlearningConfig(
            method="retrain", retraining=TRAINING, retain_sample=60, holdout_sample=60
        ),
        "policy": GatePolicy(references=0, max_exact_accuracy_loss=1.0),
        "widened_by": "Ada",
        "widened_because": "the tables of the tests are small",
        "budget": DeletionBudget(max_share=1.0),
        "approval": ApprovalPolicy(max_share=1.0),
        "loss": "squared_error",
        "recipe": owners.written(folder, RECIPE),
    }
    return ModelSource(**(given | changes))


EXAMPLE = np.zeros((2, 5), dtype=np.float32)


@pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
def test_a_model_of_numbers_is_erased_from(services, tmp_path):
    log_model(services, model(), form="pt2", model="prices", example=EXAMPLE)
    enrolled = enroll.enroll_version(services, source(tmp_path), None, trust_pickle=False)
    assert 0.2 < enrolled.interface.tolerance < 0.6  # the noise's median is 0.34

    lines = [
        {"request_id": f"R-{n}", "subject_id": subject(n), "received_at": "2026-11-20T03:04:05Z"}
        for n in range(12)
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    services.store.put("requests/incoming/R.jsonl", text.encode())
    (batch,) = open_batches.open_batches(services)
    assert pipeline.process_batch(Unreported(services), batch, ["prices"]) == []

    judged = read_batch(services.journal, batch).plans["prices"]
    before, after = judged.evaluated.evidence.before, judged.evaluated.evidence.after
    assert 0.3 < before.holdout_accuracy < 0.7  # half of them, by the tolerance
    assert 0.3 < after.holdout_accuracy < 0.7
    assert 0.3 < judged.evaluated.evidence.holdout_error.after < 0.8
    assert judged.evaluated.evidence.class_accuracy_loss is None
    answers = load_model(services.registry, "prices", 2).module(torch.from_numpy(EXAMPLE))
    assert answers.shape == (2, 1)  # served as before
    table = DeltaTable(enrolled.dataset.uri).to_pyarrow_table()
    assert not {subject(n) for n in range(12)} & set(table["subject_id"].to_pylist())
    body = json.loads(services.store.get(certificate_key("R-0")))
    (stated,) = body["models"]
    assert stated["model"] == "prices"
    assert stated["number_error"]["tolerance"] == enrolled.interface.tolerance


@pytest.mark.filterwarnings("ignore")
def test_class_scores_are_no_answer_of_a_model_of_numbers(services, tmp_path):
    log_model(services, nn.Linear(5, 3), form="pt2", model="prices", example=EXAMPLE)
    asked = source(tmp_path)
    with pytest.raises(UnsupportedModelError, match="one number; change --loss"):
        enroll.enroll_version(services, asked, None, trust_pickle=False)
    found = check_enrolment(services, asked, None, Trust())
    assert ["one number" in one.text for one in found.obstacles] == [True]
