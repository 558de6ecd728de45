"""A retrain's length, read from what was timed of the same model on the same kind of machine."""

from dataclasses import replace

import factories
import pytest
from erased_world import GONE, ROWS
from erased_world import TRAINING as WORLD_TRAINING
from factories import attempt

from tasks.enrolling import timed_trainings
from tasks.enrolling.timed_trainings import note_retrain, retrain_forecast, timing
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.models import ChampionPromoted, ReferenceModelsStored, RetrainTimed
from tasks.journal.reading import record_enrollment
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evidence.attack_power import AttackPower

TRAINING = TrainingConfig(epochs=10)
ENROLLED = factories.enrollment(row_count=1_000, unlearning=UnlearningConfig(retraining=TRAINING))
POWER = AttackPower(attack="loss", auc=0.6, deviation=0.3, holdout_variance=1e-4)


@pytest.fixture
def enrolled(services):
    record_enrollment(services.journal, ENROLLED)
    return services


def told(services, *seconds_of_a_row):
    """Retrains on 100 rows in ten epochs."""
    for number, pace in enumerate(seconds_of_a_row):
        note_retrain(services, attempt(key=f"a-{number}"), TRAINING, 100, pace * 1_000)


def test_nothing_is_known_before_a_training_was_timed(enrolled):
    assert retrain_forecast(enrolled, ENROLLED, 50) is None


def test_the_length_goes_with_rows_and_epochs(enrolled):
    told(enrolled, 0.02, 0.04, 0.06)
    found = retrain_forecast(enrolled, ENROLLED, 50)
    assert found is not None
    assert found.expected == pytest.approx(0.04 * 950 * 10)
    assert found.least == pytest.approx(0.02 * 950 * 10 / 4)


def test_reference_models_tell_as_well(enrolled):
    timed = timing(enrolled, TRAINING, 50, 30.0)
    facts = ReferenceModelsStored(references="r", count=2, version=1, power=POWER, timed=timed)
    enrolled.journal.append(model_stream("income"), ids.references("r"), facts)
    found = retrain_forecast(enrolled, ENROLLED, 50)
    assert found is not None
    assert found.expected == pytest.approx(30.0 / 50 * 950)


def test_a_retrain_is_told_once(enrolled):
    told(enrolled, 0.02)
    told(enrolled, 0.09)
    events = enrolled.journal.read(model_stream("income"))
    (one,) = [e.facts for e in events if isinstance(e.facts, RetrainTimed)]
    assert (one.attempt, one.timed.rows, one.timed.seconds) == ("a-0", 100, 20.0)


@pytest.mark.parametrize(
    "change", [{"batch_size": 32}, {"alpha": 0.0}, {"derivative": "exact"}], ids=str
)
def test_trainings_of_another_kind_tell_nothing(enrolled, change):
    told(enrolled, 0.02)
    config = replace(TRAINING, **change)
    other = replace(ENROLLED, unlearning=UnlearningConfig(retraining=config))
    assert retrain_forecast(enrolled, other, 50) is None


def test_trainings_on_another_kind_of_device_tell_nothing(enrolled, monkeypatch):
    told(enrolled, 0.02)
    monkeypatch.setattr(timed_trainings, "pick_device", lambda _: "cuda")
    assert retrain_forecast(enrolled, ENROLLED, 50) is None


@pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own type hints and formats
def test_a_retrain_that_ran_in_one_go_is_timed(world):
    (event,) = world.events(RetrainTimed)
    timed, left = event.facts.timed, ROWS - len(GONE)
    assert (timed.rows, timed.epochs) == (left, WORLD_TRAINING.epochs)
    assert timed.seconds > 0
    assert world.enrolled().deletions.trained_rows == left
    assert world.events(ChampionPromoted)[0].facts.trained_rows == left
    assert retrain_forecast(world.services, world.enrolled(), 0) is not None


def test_a_recipe_that_was_timed_on_few_rows_tells_nothing_of_many(enrolled):
    mine = replace(ENROLLED, recipe="recipes/a.py")
    told(enrolled, 0.1)  # by our own training
    for number, rows in enumerate((90, 400)):
        assert retrain_forecast(enrolled, mine, 50) is None
        one = attempt(key=f"a-{rows}-{number}")
        note_retrain(enrolled, one, TRAINING, rows, rows * 2.0, recipe="recipes/a.py")
    assert retrain_forecast(enrolled, mine, 50).expected == pytest.approx(1_900)
    assert retrain_forecast(enrolled, replace(mine, recipe="recipes/b.py"), 50) is None
