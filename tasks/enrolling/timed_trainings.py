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

_TENTH = 10


def timing(
    services: Services, config: TrainingConfig, rows: int, seconds: float, *, recipe: str = ""
) -> Timing:
    """A training that ran in one go, and under which conditions it did.

    Args:
        services: Whose device it ran on.
        config: How it was trained.
        rows: How many it learned from.
        seconds: How long it took.
        recipe: Key of the owner's recipe that did it instead, if one did.
    """
    here, epochs = _conditions(services, config, recipe), _epochs(config, recipe)
    return Timing(rows=rows, epochs=epochs, seconds=seconds, conditions=here)


def note_retrain(
    services: Services,
    attempt: Attempt,
    config: TrainingConfig,
    rows: int,
    seconds: float,
    *,
    recipe: str = "",
) -> None:
    """Record how long the attempt's retrain took, once; arguments as those of `timing`."""
    timed = timing(services, config, rows, seconds, recipe=recipe)
    facts = RetrainTimed(attempt=attempt.key, timed=timed)
    services.journal.append(model_stream(attempt.model), attempt.ids.timed, facts)


def retrain_forecast(
    services: Services, enrollment: Enrollment, forget_count: int
) -> Forecast | None:
    """How long a retrain without so many rows will take; None if nothing tells.

    By earlier retrains and by the reference models, which enrolment trains in the same way on
    fewer rows; those on another kind of device, or with batches of another size, do not count.
    Nor does what a recipe took for less than a tenth of the rows: nobody knows how long it takes to
    begin, and what nobody knows the length of is tried.
    """
    config = enrollment.unlearning.retraining
    here = _conditions(services, config, enrollment.recipe)
    rows = enrollment.row_count - forget_count
    return forecast(
        [
            TimedTraining(rows=one.rows, epochs=one.epochs, seconds=one.seconds)
            for one in read_model(services.journal, enrollment.model).timed
            if one.conditions == here and (not enrollment.recipe or one.rows * _TENTH >= rows)
        ],
        rows=rows,
        epochs=_epochs(config, enrollment.recipe),
    )


def _epochs(config: TrainingConfig, recipe: str) -> int:
    """How often a recipe passes over the rows is its own affair."""
    return 1 if recipe else config.epochs


def _conditions(services: Services, config: TrainingConfig, recipe: str) -> Conditions:
    if recipe:
        device = pick_device(services.settings)
        return Conditions(device=device, batch_size=0, restriction=recipe, derivative="")
    return Conditions(
        device=pick_device(services.settings),
        batch_size=config.batch_size,
        restriction=config.restriction if config.alpha else "none",
        derivative=config.derivative,
    )
