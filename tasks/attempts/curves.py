"""The curves of a candidate in the store, bound to its evidence by digest."""

import json
from dataclasses import asdict

from pydantic import TypeAdapter, ValidationError

from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import KeptCurves
from tasks.store.objects import MissingObjectError, ObjectStore
from unlearning.errors import DataError
from unlearning.evaluation.curves import Curves, Reading, candidate_curves
from unlearning.evaluation.measurement import Measurement
from unlearning.policy.digests import bytes_digest

_CURVES = TypeAdapter(Curves)


def keep_curves(
    store: ObjectStore, attempt: Attempt, measured: Measurement, *, min_class_rows: int
) -> KeptCurves:
    """Keep the curves of an attempt once; returns where they lie."""
    curves = candidate_curves(
        Reading(scores=measured.before, signals=measured.signals_before),
        Reading(scores=measured.after, signals=measured.signals_after),
        measured.evidence.forgetting.judged.attack,
        min_class_rows=min_class_rows,
    )
    key = attempt.ids.curves
    store.put_if_absent(key, json.dumps(asdict(curves), allow_nan=False).encode())
    # A run that was killed before its event may have kept them first: those count.
    return KeptCurves(key=key, digest=bytes_digest(store.get(key)))


def read_curves(store: ObjectStore, kept: KeptCurves) -> Curves:
    """The curves that `keep_curves` kept.

    Raises:
        DataError: they are gone, were changed, or cannot be read.
    """
    key = kept.key
    try:
        data = store.get(key)
    except MissingObjectError as error:
        raise DataError(f"The curves under {key} are missing; restore that object.") from error
    if bytes_digest(data) != kept.digest:
        raise DataError(f"The curves under {key} were changed since; restore that object.")
    try:
        return _CURVES.validate_json(data)
    except ValidationError as error:
        raise DataError(f"The curves under {key} cannot be read; restore that object.") from error
