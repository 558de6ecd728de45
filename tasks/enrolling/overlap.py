"""What training and holdout table have in common: who was learned is no evidence of the unseen."""

import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b

import pyarrow.compute as pc

from tasks.datasets.rows import TableRows
from tasks.enrolling.source import ModelSource
from tasks.registry.services import Services
from tasks.tables.delta import arrow_dataset, count_by_subject, open_table
from tasks.tables.subject_ids import id_texts
from unlearning.errors import UnfitRowsError

log = logging.getLogger("expunge.overlap")

_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of the holdout may have been learned."""

    subjects: int
    """People with rows in both tables."""
    rows: int
    """Holdout rows that are alike a training row, whoever's it is."""


def find_overlap(services: Services, source: ModelSource) -> Overlap:
    """Look for people in both tables, and for the same row under another id; warn of either.

    Rows are compared by digests under a key that is forgotten at once. Cost: one pass over both
    tables, and 16 bytes in memory for each holdout row.
    """
    found = Overlap(_shared_subjects(services, source), _identical_rows(services, source))
    if found.subjects or found.rows:
        log.warning(
            "%s: %d subjects of the holdout have rows in the training table, too, and %d of its "
            "rows are the same as training rows; what the model was trained on is no evidence, and "
            "certificates will say so.",
            source.model,
            found.subjects,
            found.rows,
        )
    return found


def _shared_subjects(services: Services, source: ModelSource) -> int:
    column = source.dataset.subject
    unseen = open_table(services.settings, source.holdout)
    names = pc.call_function("unique", [arrow_dataset(unseen).to_table(columns=[column])[column]])
    table = open_table(services.settings, source.dataset.uri, source.dataset_version)
    return len(count_by_subject(table, column, (one for one in id_texts(names) if one is not None)))


def _identical_rows(services: Services, source: ModelSource) -> int:
    key, size = secrets.token_bytes(32), source.unlearning.chunk_size
    holdout = TableRows(services.settings, replace(source.dataset, uri=source.holdout), None)
    training = TableRows(services.settings, source.dataset, source.dataset_version)
    try:
        unseen = list(_digests(holdout, key, size))
        learned = set(unseen).intersection(_digests(training, key, size))
    except UnfitRowsError as error:  # the run says what to mend; nothing is judged on it before
        log.warning("%s: same rows could not be looked for. %s", source.model, error)
        return 0
    return sum(one in learned for one in unseen)


def _digests(rows: TableRows, key: bytes, size: int) -> Iterator[bytes]:
    for features, labels in rows.chunks(size):
        for row, label in zip(features.numpy(), labels.tolist(), strict=True):
            text = row.tobytes() + str(label).encode()
            yield blake2b(text, digest_size=_DIGEST, key=key).digest()
