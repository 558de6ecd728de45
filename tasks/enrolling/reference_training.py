"""How reference models are trained, and how well they let an attack see.

They learn from holdout rows that no candidate is judged on.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import torch
from torch import Tensor, nn

from tasks.datasets.samples import sample_rows, sample_with_slices
from tasks.enrolling.recipes.kept import kept_recipe
from tasks.enrolling.recipes.trained import train_by_recipe
from tasks.enrolling.timed_trainings import timing
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.journal import journal
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import Timing
from tasks.registry.services import Services
from unlearning.attacks.attacks import Signals, read_signals
from unlearning.attacks.power import attack_power
from unlearning.attacks.shadow import fit_shadow_attack
from unlearning.config.training_config import TrainingConfig
from unlearning.evidence.attack_power import AttackPower
from unlearning.methods.retrain import trained_anew
from unlearning.model.forward import model_copy
from unlearning.model.rows import TensorRows, draw
from unlearning.model.scores import Scores, read_scores

log = logging.getLogger("expunge.reference_models")

_MEMBERS = 1000


def trained_references(
    services: Services, enrollment: Enrollment, parent: nn.Module, without: Sequence[str]
) -> tuple[dict[str, Tensor], Timing]:
    """Weights of reference models by number and name, with what they teach; the fastest training.

    The first one warms the device up, so that it takes longer than its rows need. Cost: as many
    trainings as `policy.references`, on at most `policy.reference_rows` rows each.

    Raises:
        UnsupportedModelError: the model has a form that cannot be trained anew.
        DivergenceError: its training on so few rows diverges.
        RecipeError: its owner's recipe fails on so few rows.
    """
    policy, config = enrollment.policy, enrollment.unlearning.retraining
    (rows, table), (unseen, _) = _drawn(services, enrollment, without)
    tensors: dict[str, Tensor] = {}
    members: list[Scores] = []
    others: list[Scores] = []
    seconds: list[float] = []
    for number in range(1, policy.references + 1):
        log.info(
            "%s: training reference model %d of %d on %d holdout rows",
            enrollment.model,
            number,
            policy.references,
            rows.count,
        )
        state, took = _trained(services, enrollment, parent, (rows, table), number)
        seconds.append(took)
        module, size = with_weights(parent, state), enrollment.unlearning.chunk_size
        members.append(_scores(services, module, rows, size))
        others.append(_scores(services, module, unseen, size))
        tensors |= {f"{number}/{name}": value.contiguous() for name, value in state.items()}
    shadow = fit_shadow_attack(members, others)
    tensors |= {
        "shadow/weights": shadow.weights,
        "shadow/shift": torch.tensor(shadow.shift, dtype=torch.double),
    }
    return tensors, timing(services, config, rows.count, min(seconds), recipe=enrollment.recipe)


def measured_power(
    services: Services,
    enrollment: Enrollment,
    parent: nn.Module,
    references: Sequence[nn.Module],
    without: Sequence[str],
) -> AttackPower:
    """How well attacks tell the model's training rows from unseen ones with these references."""
    size = enrollment.unlearning.chunk_size
    retain = sample_rows(
        services.settings,
        enrollment.dataset,
        enrollment.dataset_version,
        count=_MEMBERS,
        seed=enrollment.unlearning.seed,
        without=without,
    )
    _, unseen = reference_rows(services, enrollment, without)

    def signals(chunk_size: int, device: str) -> list[Signals]:
        return [
            read_signals(
                read_scores(parent, rows, chunk_size=chunk_size, device=device),
                references,
                rows,
                chunk_size=chunk_size,
                device=device,
            )
            for rows in (retain, unseen)
        ]

    known = fitting(signals, chunk_size=size, device=pick_device(services.settings))
    return attack_power(*known, min_class_rows=enrollment.policy.min_class_rows)


def reference_rows(
    services: Services, enrollment: Enrollment, without: Sequence[str] = ()
) -> tuple[TensorRows, TensorRows]:
    """Holdout rows that they learn from, of the part that no candidate is judged on; others.

    Raises:
        DataError: the holdout table is too small for both.
    """
    (read, _), (judged, _) = _drawn(services, enrollment, without)
    return read, judged


def _drawn(
    services: Services, enrollment: Enrollment, without: Sequence[str]
) -> list[tuple[TensorRows, pa.Table]]:
    """Both, each also as it is stored."""
    count = enrollment.policy.reference_rows
    sample = sample_with_slices(
        services.settings,
        replace(enrollment.dataset, slices=()),
        None,
        count=2 * count,
        seed=enrollment.unlearning.seed,
        without=without,
        uri=enrollment.holdout,
    )
    drawn = [(half, *draw(half.rows, count)) for half in sample.halves()]
    return [(rows, half.table.take(places.numpy())) for half, rows, places in drawn]


def with_weights(parent: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """A copy of the parent with other weights."""
    module = model_copy(parent)
    module.load_state_dict(state)
    return module


def _trained(
    services: Services,
    enrollment: Enrollment,
    parent: nn.Module,
    rows: tuple[TensorRows, pa.Table],
    number: int,
) -> tuple[dict[str, Tensor], float]:
    """Weights of the reference model of this number, and the seconds that they took."""
    config = enrollment.unlearning.retraining
    config = replace(config, seed=config.seed + number)
    recipe = kept_recipe(services.store, enrollment)
    if recipe is None:
        started = journal.now()
        state = _trained_on(services, parent, rows[0], config)
        return state, (journal.now() - started).total_seconds()
    made = train_by_recipe(
        services,
        recipe,
        rows[1].to_batches(),
        name=enrollment.model,
        tables=enrollment.places,
        like=parent,
        seed=config.seed,
    )
    return made.state, made.seconds


def _trained_on(
    services: Services, parent: nn.Module, rows: TensorRows, config: TrainingConfig
) -> dict[str, Tensor]:
    """The batch size belongs to the result, so that only another device can do with less."""
    return fitting(
        lambda _, device: trained_anew(parent, rows, config, device=device),
        chunk_size=1,
        device=pick_device(services.settings),
    )


def _scores(services: Services, module: nn.Module, rows: TensorRows, chunk_size: int) -> Scores:
    return fitting(
        lambda size, device: read_scores(module, rows, chunk_size=size, device=device),
        chunk_size=chunk_size,
        device=pick_device(services.settings),
    )
