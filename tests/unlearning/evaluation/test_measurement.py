from dataclasses import asdict

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.evaluation import evaluate
from unlearning.evaluation.measurement import EvidenceRows, measure_candidate
from unlearning.gate.gate import decide


def measured(rows, original, candidate, **slices):
    sets = EvidenceRows(retain=rows(80), forget=rows(40, 1), holdout=rows(120, 2), **slices)
    references = [nn.Linear(5, 3) for _ in range(2)]
    found = measure_candidate(original, candidate, references, sets, GatePolicy(), chunk_size=32)
    return sets, found


def test_all_evidence_is_of_the_same_rows_and_models_stay_as_they_are(rows, stateful):
    candidate = nn.Linear(5, 3)
    before = [Fingerprint.of(stateful), Fingerprint.of(candidate)]
    sets, found = measured(rows, stateful, candidate)
    for known, model in zip(before, (stateful, candidate), strict=True):
        known.assert_same(model)
    for model, report in ((stateful, found.evidence.before), (candidate, found.evidence.after)):
        expected = evaluate(model, **sets.sets(), chunk_size=32)
        assert asdict(report) == pytest.approx(asdict(expected))
    utility = found.evidence.utility
    assert utility is not None
    assert utility.holdout.rows == 120
    loss = found.evidence.holdout_accuracy_loss.value
    assert utility.holdout.accuracy.before - utility.holdout.accuracy.after == pytest.approx(loss)
    assert found.signals_after["forget"].references.shape == (2, 40)
    assert torch.equal(found.signals_before["holdout"].margins, found.before["holdout"].margins)


def test_slices_reach_the_utility_of_their_set(rows, stateful):
    slices = {"holdout": {"region": ["north"] * 90 + ["south"] * 30}}
    _, found = measured(rows, stateful, nn.Linear(5, 3), slices=slices)
    assert found.evidence.utility is not None
    worst = found.evidence.slice_accuracy_loss
    assert worst is not None
    assert (worst.group, worst.rows) == ("north", 90)
    assert found.evidence.small_slices == 1
    groups = found.evidence.utility.holdout.groups
    assert {(g.value, g.rows) for g in groups if g.column == "region"} == {
        ("north", 90),
        ("south", 30),
    }


def test_the_original_as_its_own_candidate_does_not_pass(rows, stateful):
    _, found = measured(rows, stateful, stateful)
    decision = decide(found.evidence, GatePolicy())
    assert not decision.passed
    assert found.evidence.holdout_accuracy_loss.value == 0.0
