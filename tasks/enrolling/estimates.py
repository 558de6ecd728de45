"""What rungs and evidence of a model will take, and how well an attack sees it, tried on a sample.

Nothing of it is kept: reference models are trained only where that takes seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from tasks.enrolling.outlook import REFERENCES
from tasks.enrolling.recipe_check import Trial
from tasks.enrolling.reference_models import restored
from tasks.enrolling.reference_training import measured_power, trained_references
from tasks.enrolling.source import ModelSource
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.journal import journal
from tasks.journal.events.enrollment import Enrollment
from tasks.registry.services import Services
from tasks.subjects.reappearance import suppressed_ids
from tasks.tables.delta import open_table
from unlearning.errors import DataError, DivergenceError, EvidenceError, UnsupportedModelError
from unlearning.evidence.attack_power import AttackPower
from unlearning.methods.retrain import retrain_obstacle, trained_anew
from unlearning.model.gradients import mean_gradient
from unlearning.model.rows import TensorRows
from unlearning.policy.budget import RETRAIN, Deletions, is_exact

_PATIENCE = 60.0
"""Seconds that a check spends on reference models at most, by what it expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What a check tried."""

    seconds: dict[str, float]
    """About how long each rung and kind of evidence takes, by its name."""
    power: AttackPower | None
    """None if the sample says nothing."""
    references: int
    """Reference models behind the power."""


def estimates(
    services: Services, source: ModelSource, number: int, module: nn.Module, sample: TensorRows
) -> Estimates:
    """Time one pass of each kind over the sample, and try the attack.

    The services should be `rehearsing`. Cost: two passes of training and two gradients over the
    sample, the attack's pass over a few thousand rows, and, where they are expected within a
    minute, the reference models.
    """
    draft = _draft(services, source, number)
    can_train = not source.recipe and not retrain_obstacle(module)
    seconds = _seconds(services, draft, module, sample, can_train=can_train)
    expected = seconds.get(REFERENCES)
    count = draft.policy.references if expected is not None and expected <= _PATIENCE else 0
    tried = replace(draft, policy=replace(draft.policy, references=count))
    try:
        return Estimates(seconds=seconds, power=_power(services, tried, module), references=count)
    except (DivergenceError, EvidenceError, DataError, UnsupportedModelError):
        return Estimates(seconds=seconds, power=None, references=0)


def by_recipe(services: Services, source: ModelSource, trial: Trial) -> dict[str, float]:
    """Seconds of what its owner's recipe trains: a retrain, and the reference models."""
    rows = open_table(services.settings, source.dataset.uri, source.dataset_version).count()
    unseen = open_table(services.settings, source.holdout).count()
    learned = min(source.policy.reference_rows, unseen // 2)
    return {
        RETRAIN: trial.seconds(rows),
        REFERENCES: source.policy.references * trial.seconds(learned),
    }


def _draft(services: Services, source: ModelSource, number: int) -> Enrollment:
    table = open_table(services.settings, source.dataset.uri, source.dataset_version)
    rows = table.count()
    return Enrollment(
        model=source.model,
        version=number,
        digest="",
        dataset=source.dataset,
        dataset_version=table.version(),
        row_count=rows,
        holdout=source.holdout,
        unlearning=source.unlearning,
        policy=source.policy,
        deletions=Deletions(trained_rows=rows),
        loss=source.loss,
    )


def _seconds(
    services: Services,
    draft: Enrollment,
    module: nn.Module,
    sample: TensorRows,
    *,
    can_train: bool,
) -> dict[str, float]:
    """Nothing of what an owner's recipe does: how long that takes, its own check says."""
    found: dict[str, float] = {}
    config, rule = draft.unlearning.retraining, draft.unlearning.calibration
    if can_train:
        once = replace(config, epochs=1)
        pace = _pace(
            services,
            sample,
            lambda _, device: trained_anew(module, sample, once, device=device),
        )
        found[RETRAIN] = pace * draft.row_count * config.epochs
        learned = min(draft.policy.reference_rows, _count(services, draft) // 2)
        found[REFERENCES] = pace * learned * config.epochs * draft.policy.references
    if not is_exact(draft.unlearning.method):
        pace = _pace(
            services,
            sample,
            lambda size, device: mean_gradient(module, sample, chunk_size=size, device=device),
        )
        found["update"] = pace * 2 * rule.min_retain_batch * rule.max_steps
        found["stronger update"] = 2 * found["update"]
    return found


def _pace(services: Services, sample: TensorRows, work: Callable[[int, str], object]) -> float:
    """Seconds for a row, from the second of two passes: the first one warms up."""
    device = pick_device(services.settings)
    took = 0.0
    for _ in range(2):
        started = journal.now()
        fitting(work, chunk_size=sample.count, device=device)
        took = (journal.now() - started).total_seconds()
    return took / sample.count


def _count(services: Services, draft: Enrollment) -> int:
    return open_table(services.settings, draft.holdout).count()


def _power(services: Services, draft: Enrollment, module: nn.Module) -> AttackPower:
    erased = suppressed_ids(services, draft.dataset, None, uri=draft.holdout)
    models: list[nn.Module] = []
    if draft.policy.references:
        tensors, _ = trained_references(services, draft, module, erased)
        models = list(restored(module, tensors).models)
    erased += suppressed_ids(services, draft.dataset, draft.dataset_version)
    return measured_power(services, draft, module, models, erased)
