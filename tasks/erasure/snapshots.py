"""Models pointed to what is left of their table."""

from typing import cast

from tasks.attempts.planning import note_still_untouched
from tasks.certificates.models_not_asked import note_out_of_service
from tasks.erasure.batch_rows import table_history
from tasks.erasure.former_versions import note_former
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import SnapshotAdvanced
from tasks.journal.reading import enrolled_models, ever_enrolled
from tasks.registry.services import Services
from tasks.subjects.reappearance import known_count, scan_table
from tasks.tables.delta import is_readable
from tasks.versions.strangers import state_strangers
from unlearning.errors import DataError


def advance_models(services: Services, batch: str, uri: str) -> list[str]:
    """Point every model trained on this table to its new snapshot.

    Returns their names, and those of models that were enrolled with it before: what the store keeps
    of them may be made of its rows.

    Raises:
        DataError: the table's files were not purged yet.
    """
    purged = table_history(services, batch, uri).purged
    if not purged:
        raise DataError(f"The files of {uri} were not purged yet; run the batch from its start.")
    note_out_of_service(services, batch, uri)
    note_former(services, batch, uri)
    state_strangers(services, batch, uri)
    version = purged[-1].version
    affected = [e for e in enrolled_models(services.journal) if e.dataset.uri == uri]
    # A later batch, or an enrolment, may have pointed a model further: no way leads back, for the
    # files of older snapshots are gone.
    behind = [e for e in affected if e.dataset_version <= version]
    # First the journal, for every model: other batches go on from it while MLflow is away.
    advanced = [(e, _advance(services, batch, e, version, len(purged))) for e in behind]
    for enrollment, facts in advanced:
        tags = {
            "expunge.dataset_version": str(facts.dataset_version),
            "expunge.dataset_rows": str(facts.row_count),
        }
        if not enrollment.is_withdrawn:  # its version may be purged by now
            services.registry.tag_version(enrollment.model, enrollment.version, tags)
    ever = [e.model for e in ever_enrolled(services.journal) if e.dataset.uri == uri]
    return list(dict.fromkeys([*(e.model for e in affected), *ever]))


def _advance(
    services: Services, batch: str, enrollment: Enrollment, version: int, number: int
) -> SnapshotAdvanced:
    """Record the model's new snapshot, once; the table as it is, if it was purged again since."""
    spec, stream = enrollment.dataset, model_stream(enrollment.model)
    event_id = ids.advanced(batch, spec.uri, number)
    done = services.journal.find(stream, event_id)
    if done is not None:
        return cast("SnapshotAdvanced", done.facts)
    readable = version if is_readable(services.settings, spec.uri, version) else None
    found = scan_table(services, spec.uri, spec.who, readable)
    facts = SnapshotAdvanced(
        dataset_version=found.version,
        row_count=known_count(services, enrollment, found),
        fingerprint=found.fingerprint,
        batch=batch,
    )
    # The batch's other tables ask for it.
    note_still_untouched(services, batch, enrollment, found.version)
    return cast("SnapshotAdvanced", services.journal.append(stream, event_id, facts).facts)
