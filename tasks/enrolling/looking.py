"""What a check looks at before it loads the model: its version, its lineage and its tables."""

from collections.abc import Iterator
from functools import partial

from tasks.datasets.rows import column_errors
from tasks.datasets.samples import sample_rows
from tasks.enrolling.lineage import Lineage, lineage
from tasks.enrolling.objects import refuse_unfit_objects
from tasks.enrolling.obstacles import Obstacles
from tasks.enrolling.recognition import FIT_ROWS
from tasks.enrolling.serving import newest_version, unserved, version_to_enroll
from tasks.enrolling.source import (
    ModelSource,
    address_columns,
    refuse_other_subjects,
    refuse_unready_table,
)
from tasks.registry.services import Services
from tasks.tables.delta import is_table, keep_ids_out_of_log, open_table
from tasks.versions.copies import unasked
from unlearning.errors import ExpungeError
from unlearning.model.rows import TensorRows


def version(
    services: Services,
    source: ModelSource,
    given: int | None,
    *,
    promote: bool,
    seen: Obstacles,
) -> int | None:
    """The version to look at: the newest where the one to enrol is unclear, to tell all."""
    named = partial(version_to_enroll, services, source.model, given, newest=promote)
    number = seen.outcome(named)
    if number is None and services.registry.is_registered(source.model):
        return newest_version(services, source.model)
    return number


def serving_notes(services: Services, model: str, *, is_needed: bool) -> Iterator[str]:
    """That nothing is served of the model, where that is no obstacle already."""
    if not is_needed or not services.registry.is_registered(model):
        return
    if services.registry.alias_version(model) is None:
        yield unserved(services, model)


def unasked_notes(services: Services, model: str, number: int | None) -> Iterator[str]:
    """Which other versions of the name nobody enrolled."""
    if number is not None:
        yield from unasked(services, model, number)


def origin(services: Services, source: ModelSource, number: int | None, seen: Obstacles) -> Lineage:
    """The table version that it learned from, as far as MLflow and the table tell."""
    given = Lineage(source.dataset_version)
    if number is None or not is_table(services.settings, source.dataset.uri):
        return given
    return seen.outcome(lambda: lineage(services, source, number)) or given


def at_tables(services: Services, source: ModelSource, seen: Obstacles) -> bool:
    """Whether rows of both can be read."""
    spec, version = source.dataset, source.dataset_version
    fits = seen.each(lambda: column_errors(services.settings, spec, version, source.holdout))
    for uri in {source.dataset.uri: None, source.holdout: None}:
        seen.each(lambda uri=uri: _unready(services, source, uri))
    seen.outcome(lambda: refuse_other_subjects(services, source))
    looks = partial(refuse_unfit_objects, services, spec, source.holdout, tries=False)
    if fits:
        seen.outcome(looks)
    return fits


def sample(services: Services, source: ModelSource, seen: Obstacles) -> TensorRows | None:
    """Some training rows as the model takes them; None if that is refused."""
    return seen.outcome(
        lambda: sample_rows(
            services.settings, source.dataset, source.dataset_version, count=FIT_ROWS, seed=0
        )
    )


def row_count(services: Services, source: ModelSource) -> int:
    """Rows of the training table."""
    return open_table(services.settings, source.dataset.uri, source.dataset_version).count()


def _unready(services: Services, source: ModelSource, uri: str) -> Iterator[ExpungeError]:
    refuse_unready_table(services, source, uri, tries=False)
    table = open_table(services.settings, uri)
    addresses = address_columns(services, source, uri)
    keep_ids_out_of_log(table, source.dataset.subject, addresses, changes=False)
    yield from ()
