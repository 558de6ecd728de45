"""A model that generalises well ends in erasure at the first run, whatever the attack can tell."""

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from erased_world import World
from small_tables import subject

from tasks.enrolling import enroll, train
from tasks.journal.reading import read_batch
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig

WIDTH, CLASSES = 20, 4


def rows(count, *, first, seed):
    """Four classes, and labels of which nearly half are drawn by lot."""
    random = np.random.default_rng(seed)
    weights = np.random.default_rng(99).standard_normal((WIDTH, CLASSES))
    features = random.integers(0, 2, (count, WIDTH)).astype(np.int8)
    best = ((features - 0.5) @ weights).argmax(1)
    by_lot = random.random(count) < 0.45
    labels = np.where(by_lot, random.integers(0, CLASSES, count), best).astype(np.int64)
    return pa.table(
        {
            "subject_id": [subject(first + i) for i in range(count)],
            "label": labels,
            "features": pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), WIDTH),
        }
    )


class General(World):
    """Tables of four classes, and a model on them that nobody asked to forget yet."""

    def __init__(self, services, folder, epochs):
        self.services, self.folder = services, folder
        self.table, self.holdout = (f"file://{folder}/{name}" for name in ("train", "holdout"))
        write_deltalake(self.table, rows(1_000, first=0, seed=1))
        write_deltalake(self.holdout, rows(2_400, first=1_000, seed=2))
        training = TrainingConfig(epochs=epochs, batch_size=64, learning_rate=3e-3)
        source = self.source(
            unlearning=UnlearningConfig(retraining=training),
            policy=GatePolicy(references=2),
        )
        version = train.train_version(services, source, (32,), training)
        enroll.enroll_version(services, source, version, trust_pickle=False)

    def work_off(self, count):
        """So many requests at the first run; what the gate said of the attempt that passed."""
        self.submit("G", range(count))
        self.run()
        (batch,) = dict(self.services.journal.batches())
        (one,) = read_batch(self.services.journal, batch).plans.values()
        return one


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own type hints and formats
def test_eighty_requests_to_a_model_with_a_gap_are_erased_at_the_first_run(services, tmp_path):
    world = General(services, tmp_path / "tables", epochs=60)
    passed = world.work_off(80)
    before = passed.evaluated.evidence.before
    assert before.retain_accuracy > 0.6
    assert before.retain_accuracy - before.holdout_accuracy > 0.08
    assert {event.status for event in world.requests().values()} == {"erased"}
    assert (passed.attempt.rung, passed.decision.outcome) == ("update", "forgotten")
    assert world.champion() == 2


@pytest.mark.filterwarnings("ignore")  # as above
def test_rows_of_which_nothing_is_to_be_seen_are_erased_by_the_update(services, tmp_path):
    world = General(services, tmp_path / "tables", epochs=5)
    passed = world.work_off(160)
    before = passed.evaluated.evidence.before
    assert before.retain_accuracy - before.holdout_accuracy < 0.08
    assert passed.attempt.rung == "update"
    assert passed.decision.outcome == "nothing left to see"
    assert {event.status for event in world.requests().values()} == {"erased"}
    certificate = world.certificate("G-7")
    (model,) = certificate["models"]
    assert model["outcome"] == "nothing left to see"
    assert 0.5 < model["nothing_left"] <= 0.6
    assert world.requests()["G-7"].facts.reason == (
        "1 row erased; after an update of income nothing was left to see of them"
    )
