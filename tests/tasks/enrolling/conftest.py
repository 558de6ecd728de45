"""Sources of models over small real tables."""

import factories
import pytest
from deltalake import write_deltalake
from small_tables import write_tables

from tasks.enrolling.source import ModelSource
from tasks.journal.reading import record_enrollment
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.budget import Deletions
from unlearning.training.architectures import mlp


@pytest.fixture
def source_of(tmp_path):
    """Writes a training and a holdout table; gives the source of a model over them."""

    def build(train, holdout, *, sample=100):
        tables = [(tmp_path / name).as_uri() for name in ("train", "holdout")]
        for uri, some in zip(tables, (train, holdout), strict=True):
            write_deltalake(uri, some)
        return ModelSource(
            model="income",
            dataset=factories.dataset(uri=tables[0]),
            dataset_version=0,
            holdout=tables[1],
            unlearning=UnlearningConfig(retain_sample=sample, holdout_sample=sample),
            policy=GatePolicy(references=0),
            widened_by="Ada",
            widened_because="the tables of the tests are small",
        )

    return build


@pytest.fixture
def enrollment(tmp_path, services):
    """A model that wants two reference models on up to 80 of its 240 holdout rows."""
    train, holdout = (f"file://{p}" for p in write_tables(tmp_path / "t", train=120, holdout=240))
    found = factories.enrollment(
        digest="d",
        dataset=factories.dataset(uri=train),
        row_count=120,
        holdout=holdout,
        unlearning=UnlearningConfig(retraining=TrainingConfig(epochs=3, batch_size=32)),
        policy=GatePolicy(references=2, reference_rows=80),
        deletions=Deletions(trained_rows=120),
    )
    record_enrollment(services.journal, found)
    return found


@pytest.fixture
def parent():
    return mlp(40, (16,), 2, seed=1)
