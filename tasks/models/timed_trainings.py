"""Trainings that were timed, in the model's own stream: how long its retrain will take."""

from typing import Any

from tasks.hardware.device import pick_device
from tasks.models.enrollment import Enrollment, stream
from tasks.store import journal
from tasks.store.objects import ObjectStore
from unlearning.config.training_config import TrainingConfig
from unlearning.policy.deadlines import Forecast, TimedTraining, forecast

_TIMED = ("ReferencesStored", "RetrainTimed")


def timing(config: TrainingConfig, rows: int, seconds: float) -> dict[str, Any]:
    """Facts of a training that ran in one go, under which conditions it was."""
    facts = {"rows": rows, "epochs": config.epochs, "seconds": seconds}
    return facts | {"conditions": _conditions(config)}


def note_retrain(
    store: ObjectStore, model: str, attempt: str, config: TrainingConfig, rows: int, seconds: float
) -> None:
    """Record how long a retrain took, once."""
    facts = {"attempt": attempt, "timed": timing(config, rows, seconds)}
    journal.append(store, journal.Entry(stream(model), f"{attempt}/timed", "RetrainTimed", facts))


def retrain_forecast(
    store: ObjectStore, enrollment: Enrollment, forget_count: int
) -> Forecast | None:
    """How long a retrain without so many rows will take; None if nothing tells.

    By earlier retrains and by the reference models, which enrolment trains in the same way on
    fewer rows; those on another kind of device, or with batches of another size, do not count.
    """
    config = enrollment.unlearning.retraining
    known = [
        event.facts["timed"]
        for event in journal.read(store, stream(enrollment.model))
        # Records of older releases have no times.
        if event.name in _TIMED and "timed" in event.facts
    ]
    here = _conditions(config)
    return forecast(
        [
            TimedTraining(rows=one["rows"], epochs=one["epochs"], seconds=one["seconds"])
            for one in known
            if one["conditions"] == here
        ],
        rows=enrollment.row_count - forget_count,
        epochs=config.epochs,
    )


def _conditions(config: TrainingConfig) -> dict[str, Any]:
    """What the time of an epoch depends on, besides rows and model."""
    return {
        "device": pick_device(),
        "batch_size": config.batch_size,
        "restriction": config.restriction if config.alpha else "none",
        "derivative": config.derivative,
    }
