"""Trainings that were timed, in the model's own stream: how long its retrain will take."""

from tasks.environment.device import pick_device
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import Conditions, RetrainTimed, Timing
from tasks.journal.reading import read_model
from tasks.registry.services import Services
from unlearning.config.training_config import TrainingConfig
from unlearning.policy.deadlines import Forecast, TimedTraining, forecast


def timing(services: Services, config: TrainingConfig, rows: int, seconds: float) -> Timing:
    """A training that ran in one go, and under which conditions it did."""
    here = _conditions(services, config)
    return Timing(rows=rows, epochs=config.epochs, seconds=seconds, conditions=here)


def note_retrain(
    services: Services, attempt: Attempt, config: TrainingConfig, rows: int, seconds: float
) -> None:
    """Record how long the attempt's retrain took, once."""
    facts = RetrainTimed(attempt=attempt.key, timed=timing(services, config, rows, seconds))
    services.journal.append(model_stream(attempt.model), attempt.ids.timed, facts)


def retrain_forecast(
    services: Services, enrollment: Enrollment, forget_count: int
) -> Forecast | None:
    """How long a retrain without so many rows will take; None if nothing tells.

    By earlier retrains and by the reference models, which enrolment trains in the same way on
    fewer rows; those on another kind of device, or with batches of another size, do not count.
    """
    config = enrollment.unlearning.retraining
    here = _conditions(services, config)
    return forecast(
        [
            TimedTraining(rows=one.rows, epochs=one.epochs, seconds=one.seconds)
            for one in read_model(services.journal, enrollment.model).timed
            if one.conditions == here
        ],
        rows=enrollment.row_count - forget_count,
        epochs=config.epochs,
    )


def _conditions(services: Services, config: TrainingConfig) -> Conditions:
    return Conditions(
        device=pick_device(services.settings),
        batch_size=config.batch_size,
        restriction=config.restriction if config.alpha else "none",
        derivative=config.derivative,
    )
