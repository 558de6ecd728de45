"""Whether an owner's recipe trains the model that is enrolled, tried on a sample of its rows."""

import logging
from dataclasses import dataclass, replace

from torch import Tensor, nn

from tasks.datasets.samples import sample_with_slices
from tasks.enrolling.recipe_quality import refuse_worse
from tasks.enrolling.recipes.kept import Recipe, read_file
from tasks.enrolling.recipes.trained import train_by_recipe
from tasks.enrolling.reference_training import with_weights
from tasks.enrolling.source import ModelSource
from tasks.journal import journal
from tasks.journal.reading import read_model
from tasks.registry.services import Services
from tasks.subjects.reappearance import suppressed_ids
from tasks.tables.delta import open_table
from unlearning.model.adapted import tolerance_of
from unlearning.model.rows import TensorRows
from unlearning.model.scores import read_scores
from unlearning.policy.deadlines import span

log = logging.getLogger("expunge.enroll")

_ROWS = 256
_MOST_SECONDS = 15 * 60
_SOON_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A recipe that passed its check, and how long it took."""

    recipe: Recipe
    start: float
    """Seconds that every call takes beside the training: a process and its imports."""
    pace: float
    """Seconds of training for a row."""
    tried: int
    """Rows that it was tried on."""

    def seconds(self, rows: int) -> float:
        """About how long one call with so many rows takes."""
        return self.start + self.pace * max(self.tried, rows)


def checked_recipe(services: Services, source: ModelSource, parent: nn.Module) -> Trial | None:
    """The recipe that the source names, checked; None if it names none.

    Raises:
        SettingsError: its file cannot be read.
        RecipeError, DivergenceError, OutOfMemoryError: as `check_recipe`.
    """
    recipe = read_file(source.recipe, source.recipe_python)
    if recipe is not None:
        return check_recipe(services, recipe, source, parent)
    before = read_model(services.journal, source.model).enrollment
    if before is not None and before.recipe:
        log.warning(
            "%s was enrolled with a recipe before and has none from now on; name it with --recipe "
            "to keep it",
            source.model,
        )
    return None


def check_recipe(
    services: Services, recipe: Recipe, source: ModelSource, parent: nn.Module
) -> Trial:
    """Train by the recipe on 256 rows; say how long all of them would take.

    If that is at most a minute, it trains on all of them, too, to compare it with the version that
    is enrolled. What it trains is thrown away. Cost: those trainings, the first of at most a
    quarter of an hour.

    Raises:
        RecipeError, DivergenceError, SettingsError, OutOfMemoryError: as `train_by_recipe`.
    """
    spec, version = source.dataset, source.dataset_version
    without = suppressed_ids(services, spec, version)
    bare = replace(spec, slices=())
    sample = sample_with_slices(
        services.settings, bare, version, count=_ROWS, seed=0, without=without
    )
    table = sample.table
    log.info("%s: trying its recipe on %d rows", source.model, table.num_rows)
    began = journal.now()
    made = train_by_recipe(
        services,
        recipe,
        table.to_batches(),
        name=source.model,
        tables=(spec.uri, source.holdout, *spec.prefixes),
        like=parent,
        seed=source.unlearning.retraining.seed,
        most_seconds=_MOST_SECONDS,
    )
    whole = (journal.now() - began).total_seconds()
    rows = open_table(services.settings, spec.uri, version).count()
    about = made.seconds * max(1.0, rows / table.num_rows)
    log.info(
        "%s: its recipe trained on %d rows in %.1f s, so that all %d take about %s or less",
        source.model,
        table.num_rows,
        made.seconds,
        rows,
        span(about),
    )
    _warn_if_it_learned_nothing(source, parent, made.state, sample.rows)
    if about <= _SOON_SECONDS:
        refuse_worse(services, recipe, source, parent)
    return Trial(
        recipe=recipe,
        start=max(0.0, whole - made.seconds),
        pace=made.seconds / table.num_rows,
        tried=table.num_rows,
    )


def _warn_if_it_learned_nothing(
    source: ModelSource, parent: nn.Module, state: dict[str, Tensor], rows: TensorRows
) -> None:
    """On rows that it learned, in the form in which they are served, it should beat one answer."""
    size = source.unlearning.chunk_size
    right = read_scores(with_weights(parent, state), rows, chunk_size=size).accuracy
    if right <= _one_answer(parent, rows):
        log.warning(
            "%s: what its recipe trained is right on %.0f of 100 rows of the sample that it "
            "learned, no more than one answer for all would be; see that it shapes and scales "
            "rows as they are enrolled (--shape, --scale), and that a few rows teach it anything",
            source.model,
            100 * right,
        )


def _one_answer(parent: nn.Module, rows: TensorRows) -> float:
    """Share of the rows that the best single answer is right on: a class, or the median number."""
    if tolerance := tolerance_of(parent):
        numbers = rows.inputs[:, -1]
        return float(((numbers - numbers.median()).abs() < tolerance).double().mean())
    _, counts = rows.labels.unique(return_counts=True)
    return float(counts.max()) / rows.count
