"""Lost quality is said in run output, status, certificate and report, and nowhere else."""

from dataclasses import replace

import sample_evidence as sample

from tasks.certificates.certified_models import certified_models
from tasks.certificates.quality import losses_in_service
from tasks.certificates.status import batch_models
from tasks.journal.reading import read_model
from unlearning.policy.budget import Deletions

WORSE = replace(
    sample.FORGOTTEN,
    before=replace(sample.REPORT, holdout_accuracy=0.612),
    after=replace(sample.REPORT, holdout_accuracy=0.542),
    holdout_accuracy_loss=replace(sample.FORGOTTEN.holdout_accuracy_loss, value=0.07, certain=0.05),
)
SAID = "Holdout accuracy fell: .612 -> .542."


def promoted(batch, evidence):
    """A model that was retrained by the default numbers, and is served."""
    batch.enroll(row_count=4_000, deletions=Deletions(trained_rows=4_000))
    config = read_model(batch.services.journal, "income").config_digest
    batch.plan(method="retrain", rung="retrain", config_digest=config)
    batch.judge(evidence, exact=True)
    batch.promote()
    return batch


def test_a_loss_that_passed_is_said_wherever_the_model_is_shown(batch):
    promoted(batch, WORSE)
    (summary,) = batch_models(batch.services, batch.name)
    assert summary.quality.startswith(f"{SAID} It was retrained by expunge's own numbers")
    (noted,) = losses_in_service(batch.services)
    assert noted == f"income version 2: {summary.quality}"
    (one,) = certified_models(batch.services, batch.name)
    assert one.stated["quality_lost"] == summary.quality
    assert SAID.replace(">", "&gt;") in batch.text()


def test_who_lost_nothing_is_told_nothing(batch):
    promoted(batch, sample.FORGOTTEN)
    (summary,) = batch_models(batch.services, batch.name)
    assert summary.quality == ""
    assert list(losses_in_service(batch.services)) == []
    (one,) = certified_models(batch.services, batch.name)
    assert "quality_lost" not in one.stated
    assert "Holdout accuracy fell" not in batch.text()
