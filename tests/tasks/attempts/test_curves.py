"""Curves of a candidate: kept once, and read only as they were."""

from dataclasses import replace

import pytest
import sample_evidence as sample
import torch
from factories import attempt

from tasks.attempts.curves import keep_curves, read_curves
from tasks.journal.events.attempts import KeptCurves
from unlearning.attacks.attacks import Signals
from unlearning.errors import DataError
from unlearning.evaluation.measurement import Measurement
from unlearning.model.scores import Scores
from unlearning.policy.digests import bytes_digest

ATTEMPT = attempt(key="a-1")
KEY = "curves/a-1.json"


def measured(seed):
    random = torch.Generator().manual_seed(seed)
    scores = {
        name: Scores(
            torch.randn(count, 2, generator=random, dtype=torch.double),
            torch.randint(2, (count,), generator=random),
        )
        for name, count in (("forget", 30), ("holdout", 100))
    }
    signals = {n: Signals(s.margins, s.labels, torch.empty((0, 0))) for n, s in scores.items()}
    judged = replace(sample.FORGETTING.judged, attack="loss")
    evidence = replace(sample.FORGOTTEN, forgetting=replace(sample.FORGETTING, judged=judged))
    return Measurement(
        before=scores,
        after=scores,
        signals_before=signals,
        signals_after=signals,
        evidence=evidence,
    )


def test_curves_are_kept_once_and_bound_by_digest(services):
    kept = keep_curves(services.store, ATTEMPT, measured(1), min_class_rows=10)
    assert kept == KeptCurves(key=KEY, digest=bytes_digest(services.store.get(KEY)))
    # Another measurement, as after a crash on a machine that rounds otherwise, changes nothing.
    assert keep_curves(services.store, ATTEMPT, measured(2), min_class_rows=10) == kept
    assert read_curves(services.store, kept).forget_count == 30


@pytest.mark.parametrize(
    ("data", "said"),
    [(None, "are missing"), (b"{", "were changed since"), (b"{}", "cannot be read")],
)
def test_curves_that_are_gone_or_others_are_refused(services, data, said):
    if data is not None:
        services.store.put(KEY, data)
    kept = KeptCurves(key=KEY, digest=bytes_digest(b"{}"))
    with pytest.raises(DataError, match=f"{said}; restore that object"):
        read_curves(services.store, kept)
