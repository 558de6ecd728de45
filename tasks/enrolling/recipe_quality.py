"""How well an owner's recipe trains, beside the version that is enrolled."""

import logging
from dataclasses import replace

from torch import nn

from tasks.datasets.rows import TableRows
from tasks.datasets.samples import sample_with_slices
from tasks.enrolling.recipes.kept import Recipe
from tasks.enrolling.recipes.trained import train_by_recipe
from tasks.enrolling.reference_training import with_weights
from tasks.enrolling.source import ModelSource
from tasks.registry.services import Services
from tasks.subjects.reappearance import suppressed_ids
from unlearning.errors import RecipeError
from unlearning.evaluation.accuracy_loss import accuracy_loss
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores

log = logging.getLogger("expunge.enroll")

_BATCH_ROWS = 1 << 14


def refuse_worse(
    services: Services, recipe: Recipe, source: ModelSource, parent: nn.Module
) -> None:
    """Train by the recipe on all rows, and refuse it if a retrain could not pass the gate.

    Both are measured on holdout rows that no candidate is judged on. A loss counts that chance
    cannot explain. Cost: that training.

    Raises:
        RecipeError: it serves new people worse than the policy lets a retrain do.
        DivergenceError, SettingsError, OutOfMemoryError: as `train_by_recipe`.
    """
    spec, version, size = source.dataset, source.dataset_version, source.unlearning.chunk_size
    without = suppressed_ids(services, spec, version)
    rows = TableRows(services.settings, spec, version, without=without)
    made = train_by_recipe(
        services,
        recipe,
        rows.batches(_BATCH_ROWS),
        name=source.model,
        tables=(spec.uri, source.holdout, *spec.prefixes),
        like=parent,
        seed=source.unlearning.retraining.seed,
    )
    unseen = _unseen(services, source)
    served, trained = (
        read_scores(one, unseen, chunk_size=size)
        for one in (parent, with_weights(parent, made.state))
    )
    before, after = (f"{100 * one.accuracy:.0f}" for one in (served, trained))
    policy = source.policy
    most = max(policy.max_holdout_accuracy_loss, policy.max_exact_accuracy_loss)
    if accuracy_loss(served, trained).certain > most:
        raise RecipeError(
            f"What the recipe of {source.model} trains is right on {after} of 100 holdout rows, "
            f"and the enrolled version on {before}, which the gate would reject: train in the "
            "recipe as that version was trained, or allow more by policy.max_exact_accuracy_loss."
        )
    log.info(
        "%s: trained by its recipe on all %d rows it is right on %s of 100 holdout rows, as it is "
        "enrolled on %s",
        source.model,
        rows.count,
        after,
        before,
    )


def _unseen(services: Services, source: ModelSource) -> TensorRows:
    """Holdout rows of the part that no candidate is judged on."""
    part, _ = sample_with_slices(
        services.settings,
        replace(source.dataset, slices=()),
        None,
        count=2 * source.unlearning.holdout_sample,
        seed=source.unlearning.seed,
        without=suppressed_ids(services, source.dataset, None, uri=source.holdout),
        uri=source.holdout,
    ).halves()
    return part.rows
