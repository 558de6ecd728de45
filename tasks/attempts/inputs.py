"""What an attempt reads: its parent, and rows to forget, to keep and to judge by."""

from torch import nn

from tasks.attempts.already_forgotten import forgotten_subjects
from tasks.datasets.rows import TableRows
from tasks.datasets.samples import Sample, sample_with_slices
from tasks.intake import batches
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.registry.model_files import load_enrolled
from tasks.registry.services import Services
from tasks.subjects.learned_rows import Unreadable, unreadable_rows
from tasks.subjects.reappearance import suppressed_ids
from tasks.subjects.suppression_list import never_learned_by
from tasks.tables.delta import is_readable
from unlearning.errors import (
    ChangedWeightsError,
    DataError,
    EvidenceError,
    MissingDataError,
    SnapshotChangedError,
)
from unlearning.model.rows import KEYED, Rows, rows_digest
from unlearning.model.weights import model_digest


def inputs(services: Services, attempt: Attempt) -> tuple[Enrollment, nn.Module, TableRows]:
    """Enrolment as planned, parent and forget rows, all compared with the plan.

    Raises:
        ChangedWeightsError: the registry holds other weights under the parent's version.
        SnapshotChangedError: the table no longer holds the planned rows.
    """
    enrollment = read_enrollment(services.journal, attempt.model)
    parent = load_enrolled(services, enrollment, attempt.parent_version, is_parent=True).module
    if model_digest(parent.state_dict()) != attempt.parent_digest:
        raise ChangedWeightsError(
            f"Version {attempt.parent_version} of {attempt.model} holds other weights than were "
            f"enrolled; enrol it again with `expunge enroll {attempt.model}`."
        )
    forget = forget_rows(services, attempt.batch, enrollment)
    if forget.count != attempt.forget_count or digest_of(services, forget) != attempt.forget_digest:
        raise SnapshotChangedError(
            f"The rows to forget from {enrollment.snapshot} changed since they were planned; "
            "restore that version of the table, or what its rows point to, then run again."
        )
    return enrollment, parent, forget


def are_others_now(services: Services, attempt: Attempt, enrollment: Enrollment) -> bool:
    """Whether what the rows to forget point to changed since they were planned, as objects may.

    Cost: where rows point to objects, a pass over those of the rows to forget.
    """
    if not enrollment.dataset.objects:
        return False
    forget = forget_rows(services, attempt.batch, enrollment)
    return digest_of(services, forget) != attempt.forget_digest


def digest_of(services: Services, forget: Rows) -> str:
    """Keyed digest of rows to forget, by which a plan names them; there may be none."""
    return rows_digest(forget, services.settings.pseudonym_secret()) if forget.count else KEYED


def lost_rows(services: Services, batch: str, enrollment: Enrollment) -> Unreadable:
    """What the model learned of the batch's subjects, has not forgotten, and cannot be read."""
    wanted = set(
        batches.subjects(services, batch, enrollment.dataset.subject_kind)
    ) - forgotten_subjects(services, enrollment)
    return unreadable_rows(services, batch, enrollment, sorted(wanted))


def forget_subjects(services: Services, batch: str, enrollment: Enrollment) -> list[str]:
    """Subjects of the batch whose rows, if any, the model has learned and not forgotten since."""
    kind = enrollment.dataset.subject_kind
    by_id = batches.pseudonyms(services, batches.subjects(services, batch, kind), kind)
    erased = never_learned_by(services, enrollment, before=batch)
    forgotten = forgotten_subjects(services, enrollment)
    return sorted({s for s, who in by_id.items() if who not in erased} - forgotten)


def forget_rows(services: Services, batch: str, enrollment: Enrollment) -> TableRows:
    """The batch's rows that the model has learned and not forgotten since, in any batch.

    Raises:
        MissingDataError: others removed the model's snapshot.
    """
    wanted = forget_subjects(services, batch, enrollment)
    spec, version = enrollment.dataset, enrollment.dataset_version
    try:
        return TableRows(services.settings, spec, version, only=wanted)
    except DataError:
        if is_readable(services.settings, spec.uri, version):
            raise
        raise MissingDataError(
            f"Version {version} of {spec.uri}, from which {enrollment.model} learned, cannot be "
            "read any more; run again, which looks for its rows in the newest version, and if that "
            f"does not help, restore it, or train {enrollment.model} anew and enrol that version."
        ) from None


def split_sample(
    services: Services, attempt: Attempt, enrollment: Enrollment, kind: str
) -> tuple[Sample, Sample]:
    """Two disjoint samples: one the update may read, one for the evidence alone.

    A row is in the same part in every batch, so that what reference models or updates learned from
    once is never evidence later.

    Raises:
        EvidenceError: a part is empty.
    """
    config = enrollment.unlearning
    count = config.retain_sample if kind == "retain" else config.holdout_sample
    version = attempt.dataset_version if kind == "retain" else attempt.holdout_version
    uri = enrollment.dataset.uri if kind == "retain" else enrollment.holdout
    erased = suppressed_ids(services, enrollment.dataset, version, uri=uri)
    sample = sample_with_slices(
        services.settings,
        enrollment.dataset,
        version,
        count=2 * count,
        seed=config.seed,
        without=[*_gone(services, attempt, enrollment), *erased],
        uri=uri,
    )
    read, judged = sample.halves()
    if not (read.rows.count and judged.rows.count):
        remedy = "add rows to it, then run again"
        if kind == "retain":
            remedy = "enrol a version that was trained on more"
        raise EvidenceError(
            f"The {kind} rows of {attempt.model} do not make two parts, one for the update and one "
            f"for the evidence; {remedy}."
        )
    return read, judged


def retain_rows(services: Services, attempt: Attempt, enrollment: Enrollment) -> TableRows:
    """Every row of the planned snapshot but those that were, are or will be forgotten."""
    erased = suppressed_ids(services, enrollment.dataset, attempt.dataset_version)
    gone = [*_gone(services, attempt, enrollment), *erased]
    return TableRows(services.settings, enrollment.dataset, attempt.dataset_version, without=gone)


def _gone(services: Services, attempt: Attempt, enrollment: Enrollment) -> list[str]:
    """Subjects of this batch, and of earlier ones that were forgotten and not erased yet."""
    mine = set(batches.subjects(services, attempt.batch, enrollment.dataset.subject_kind))
    return sorted(mine | forgotten_subjects(services, enrollment))
