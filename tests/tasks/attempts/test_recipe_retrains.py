"""Models in MLflow's default form that nobody else can train: their owner's recipe can."""

import json
from dataclasses import replace

import pytest
import recipes_of_owners as owners
import torch
from erased_world import TRAINING, Unreported
from logged_models import log_model
from small_tables import MARK, subject, write_tables

from tasks import pipeline
from tasks.attempts.ladder import may_retrain
from tasks.certificates.certificates import certificate_key
from tasks.enrolling import enroll, reference_models
from tasks.enrolling.recipes.kept import recipe_digest
from tasks.enrolling.source import ModelSource
from tasks.enrolling.timed_trainings import retrain_forecast
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.events.models import ReferenceModelsStored
from tasks.journal.reading import read_batch
from tasks.registry.model_files import load_model
from tasks.subjects import open_batches
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.retrain import retrain_obstacle

GONE = range(10)
FORMS = {
    "dropout": (owners.mlp, owners.MLP, ()),
    "batch norm": (owners.cnn, owners.CNN, (1, 5, 8)),
}


def source(folder, recipe, shape, references):
    train, holdout = (f"file://{p}" for p in write_tables(folder / "t", train=240, holdout=200))
    return ModelSource(
        model="theirs",
        dataset=DatasetSpec(train, ("features",), "label", "subject_id", shape=shape),
        dataset_version=None,
        holdout=holdout,
        unlearning=UnlearningConfig(
            method="retrain", retraining=TRAINING, retain_sample=60, holdout_sample=60
        ),
        policy=GatePolicy(references=references, reference_rows=60, max_exact_accuracy_loss=1.0),
        widened_by="Ada",
        widened_because="the tables of the tests are small",
        budget=DeletionBudget(max_share=1.0),
        approval=ApprovalPolicy(max_share=1.0),
        recipe=owners.written(folder, recipe),
    )


def submit(services):
    lines = [
        {"request_id": f"R-{n}", "subject_id": subject(n), "received_at": "2026-11-20T03:04:05Z"}
        for n in GONE
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    services.store.put("requests/incoming/R.jsonl", text.encode())
    (batch,) = open_batches.open_batches(services)
    return batch


@pytest.mark.filterwarnings("ignore")  # of torch and MLflow about their own formats
@pytest.mark.parametrize("form", FORMS)
def test_an_exported_model_is_erased_from_by_its_owners_recipe(services, tmp_path, form):
    build, recipe, shape = FORMS[form]
    references = 2 if form == "dropout" else 0
    torch.manual_seed(0)
    example = torch.zeros(2, *(shape or (40,))).numpy()
    log_model(services, build(), form="pt2", model="theirs", example=example)
    asked = source(tmp_path, recipe, shape, references)
    enrolled = enroll.enroll_version(services, asked, None, trust_pickle=False)
    served = load_model(services.registry, "theirs", 1).module
    assert retrain_obstacle(served)  # of expunge's own training
    assert services.store.get(enrolled.recipe) == recipe.encode()
    assert bool(reference_models.refresh_references(services, "theirs")) == bool(references)

    batch = submit(services)
    assert pipeline.process_batch(Unreported(services), batch, ["theirs"]) == []
    attempt = read_batch(services.journal, batch).plans["theirs"].attempt
    made = read_batch(services.journal, batch).plans["theirs"].made
    assert (made.recipe, made.trained_rows) == (enrolled.recipe, 230)
    assert retrain_forecast(services, enrolled, 10) is not None
    assert not may_retrain(services, attempt)  # it was one

    promoted = load_model(services.registry, "theirs", 2)
    assert promoted.is_exported
    tags = services.registry.version_tags("theirs", 2)
    assert tags["expunge.recipe"] == recipe_digest(enrolled.recipe)
    body = json.loads(services.store.get(certificate_key("R-0")))
    (model,) = body["models"]
    assert model["trained_by"] == f"the owner's recipe, SHA-256 {recipe_digest(enrolled.recipe)}"
    assert MARK not in json.dumps(model)
    assert list((services.settings.home / "downloads").iterdir()) == []
    events = services.journal.read(model_stream("theirs"))
    assert references == sum(
        e.facts.count for e in events if isinstance(e.facts, ReferenceModelsStored)
    )


def test_other_rules_follow_from_another_recipe(services):
    """An attempt under way was planned with the old one, and begins anew."""
    from factories import enrollment

    from tasks.journal.reading import config_digest

    plain = enrollment()
    one, two = (replace(plain, recipe=f"recipes/{n}.py") for n in "ab")
    digests = {config_digest(e) for e in (plain, one, two, replace(one, recipe_python="/p"))}
    assert len(digests) == 4
