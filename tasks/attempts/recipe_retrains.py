"""An exact retrain by the code of the model's owner."""

import logging

from torch import Tensor, nn

from tasks.attempts.inputs import retain_rows
from tasks.enrolling.recipes.kept import Recipe, recipe_digest
from tasks.enrolling.recipes.trained import train_by_recipe
from tasks.enrolling.timed_trainings import note_retrain
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.enrollment import Enrollment
from tasks.registry.services import Services
from unlearning.policy.digests import SHORT

log = logging.getLogger("expunge.candidates")

_BATCH_ROWS = 1 << 14


def retrained_by_recipe(
    services: Services,
    attempt: Attempt,
    enrollment: Enrollment,
    recipe: Recipe,
    parent: nn.Module,
) -> dict[str, Tensor]:
    """Weights that the recipe makes of all rows that stay, and of nothing else.

    It keeps no state in between: a run that was killed starts it anew.

    Raises:
        RecipeError, DivergenceError, SettingsError, OutOfMemoryError: as `train_by_recipe`.
    """
    rows, config = retain_rows(services, attempt, enrollment), enrollment.unlearning.retraining
    log.info("%s: its recipe trains on the %d rows that stay", attempt.model, rows.count)
    made = train_by_recipe(
        services,
        recipe,
        rows.batches(_BATCH_ROWS),
        name=attempt.model,
        tables=enrollment.places,
        like=parent,
        seed=config.seed,
    )
    log.info(
        "%s: trained anew by recipe %s in %.1f s",
        attempt.model,
        recipe_digest(recipe.key)[:SHORT],
        made.seconds,
    )
    note_retrain(services, attempt, config, rows.count, made.seconds, recipe=recipe.key)
    return made.state
