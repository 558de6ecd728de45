from dataclasses import replace

import pytest
import sample_evidence as sample
import torch

from tasks.attempts.curves import keep_curves, read_curves
from unlearning.attacks.attacks import Signals
from unlearning.errors import DataError
from unlearning.evaluation.measurement import Measurement
from unlearning.model.scores import Scores
from unlearning.policy.digests import bytes_digest


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
    kept = keep_curves(services.store, "a-1", measured(1), min_class_rows=10)
    assert kept["digest"] == bytes_digest(services.store.get("evidence/a-1.json"))
    # Another measurement, as after a crash on a machine that rounds otherwise, changes nothing.
    assert keep_curves(services.store, "a-1", measured(2), min_class_rows=10) == kept
    assert read_curves(services.store, kept).forget_count == 30


def test_curves_of_another_form_are_refused(services):
    services.store.put("evidence/a-1.json", b"{}")
    kept = {"key": "evidence/a-1.json", "digest": bytes_digest(b"{}")}
    with pytest.raises(DataError, match="cannot be read; restore that object"):
        read_curves(services.store, kept)
