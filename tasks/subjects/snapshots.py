"""Models' snapshots, looked after: in place, moved by others, or not to be read any more.

The lake may compact, vacuum, overwrite and restore its tables as it likes. A model follows its rows
to the newest version, if all that it learned are there; else people are told, and what is missing
only a retrain makes it forget (`tasks.attempts.planning`). While a batch deletes rows from a table,
nobody is told that any are missing there, until their files are gone.
"""

import logging

from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import SnapshotLost, SnapshotRestored
from tasks.journal.histories.ties import tie_of
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from tasks.subjects.learned_rows import missing_rows
from tasks.subjects.reappearance import TableScan, known_count, scan_table
from tasks.subjects.rosters import is_in_place, keep_roster
from tasks.subjects.suppression_list import never_learned_by
from tasks.subjects.tied_tables import learned_by
from tasks.tables.delta import open_table
from unlearning.errors import DataError
from unlearning.policy.deletion import ERASING

log = logging.getLogger("expunge.snapshots")


def look_after_snapshots(services: Services) -> list[str]:
    """Point models to the version of their table that holds their rows; a sentence for each lost.

    One whose table cannot be read at all holds up no other; a batch that needs it says so itself.

    Cost: a listing of the table for each model; a pass over the table where others removed its
    snapshot, and once for each model that a release before this one enrolled.
    """
    erasing = [b for b, event in services.journal.open_batches() if event.status in ERASING]
    under_way = {
        uri
        for batch in erasing
        for uri, table in read_batch(services.journal, batch).tables.items()
        if table.is_under_way
    }
    unread: list[str] = []
    for enrollment in enrolled_models(services.journal):
        if not enrollment.is_withdrawn:
            try:
                _look_after(
                    services,
                    enrollment,
                    is_under_way=enrollment.dataset.uri in under_way,
                    may_count=not erasing,
                )
            except DataError as error:
                log.error("ALARM: %s: %s", enrollment.model, error)  # noqa: TRY400
                unread.append(str(error).removesuffix("."))
    return why_lost(services) + unread


def why_lost(services: Services) -> list[str]:
    """A sentence for each model in service that learned rows which cannot be read any more."""
    return [
        _sentence(enrollment, lost)
        for enrollment in enrolled_models(services.journal)
        if (lost := read_model(services.journal, enrollment.model).ties.lost) is not None
        and not enrollment.is_withdrawn
    ]


def _look_after(
    services: Services, enrollment: Enrollment, *, is_under_way: bool, may_count: bool
) -> None:
    """Point the model to where its rows are, or say that they are not.

    Args:
        services: Journal and tables.
        enrollment: The model.
        is_under_way: Whether a batch is deleting rows from its table: then it only follows them.
        may_count: Whether the number of rows means anything: not while some batch erases.
    """
    lost = read_model(services.journal, enrollment.model).ties.lost
    if is_in_place(services, tie_of(enrollment)):
        if is_under_way:
            return
        _keep_rosters(services, enrollment)
        newest = open_table(services.settings, enrollment.dataset.uri).version()
        if lost is None or lost.missing_rows is None or newest == enrollment.dataset_version:
            return
    spec = enrollment.dataset
    found = scan_table(services, spec.uri, spec.who)
    missing, rows = missing_rows(services, enrollment), known_count(services, enrollment, found)
    if missing is None and not may_count:
        return
    # Of a model of an earlier release nothing but the number of its rows is known.
    is_whole = missing == 0 if missing is not None else rows == enrollment.row_count and not lost
    if is_whole:
        _restore(services, enrollment, found, rows)
    elif is_under_way:
        log.warning("%s: a batch is deleting rows from its table", enrollment.model)
    elif lost is None or lost.missing_rows != missing:
        _lose(services, enrollment, found, rows, missing)


def _keep_rosters(services: Services, enrollment: Enrollment) -> None:
    """Write down whose rows a model of an earlier release learned, while they can be read."""
    without = never_learned_by(services, enrollment)
    for tie in learned_by(services, enrollment.model):
        if not tie.has_roster and is_in_place(services, tie):
            keep_roster(services, enrollment.model, tie, without=without)


def _restore(services: Services, enrollment: Enrollment, found: TableScan, rows: int) -> None:
    facts = SnapshotRestored(
        dataset_version=found.version,
        row_count=rows,
        fingerprint=found.fingerprint,
        version_before=enrollment.dataset_version,
        erased_rows=found.row_count - rows,
    )
    number = read_model(services.journal, enrollment.model).event_count + 1
    services.journal.append(model_stream(enrollment.model), ids.restored(number), facts)
    log.warning("%s: snapshot is version %d of the table", enrollment.model, found.version)


def _lose(
    services: Services, enrollment: Enrollment, found: TableScan, rows: int, missing: int | None
) -> None:
    facts = SnapshotLost(
        dataset_version=found.version,
        row_count=rows,
        fingerprint=found.fingerprint,
        version_before=enrollment.dataset_version,
        missing_rows=missing,
    )
    number = read_model(services.journal, enrollment.model).event_count + 1
    services.journal.append(model_stream(enrollment.model), ids.snapshot_lost(number), facts)
    log.error("ALARM: %s", _sentence(enrollment, facts))


def _sentence(enrollment: Enrollment, lost: SnapshotLost) -> str:
    missing = lost.missing_rows
    whether = (
        f"nobody can tell whether all rows that {enrollment.model} learned are"
        if missing is None
        else f"{missing} of the rows that {enrollment.model} learned are not"
    )
    return (
        f"Version {lost.version_before} of {enrollment.dataset.uri} was removed by others, and "
        f"{whether} in the newest one; restore a copy with all of them, or train "
        f"{enrollment.model} anew and enrol that version"
    )
