import json
from dataclasses import asdict

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, pairwise_auc
from unlearning.attacks.membership import hanley_mcneil_error
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.measurement import EvidenceRows, evaluation_report, measure_candidate
from unlearning.gate.gate import decide
from unlearning.model.scores import Scores, read_scores


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
        expected = evaluation_report(
            {name: read_scores(model, one, chunk_size=7) for name, one in sets.sets().items()}
        )
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


def scored(*scores_and_labels):
    scores, labels = zip(*scores_and_labels, strict=True)
    return Scores(torch.tensor(scores, dtype=torch.double), torch.tensor(labels))


SCORES = {
    "retain": scored(([4.0, 0.0], 0), ([0.0, 4.0], 1), ([0.0, 4.0], 1), ([4.0, 0.0], 1)),
    "forget": scored(([3.0, 0.0], 0), ([1.0, 0.0], 1)),
    "holdout": scored(([3.0, 0.0], 0), ([0.0, 2.0], 1), ([0.0, 5.0], 0), ([0.0, 2.5], 1)),
}


def test_the_report_of_a_model_with_known_scores():
    report = evaluation_report(SCORES)
    losses = [SCORES[name].losses for name in ("forget", "holdout")]
    auc = pairwise_auc(*(side.tolist() for side in losses))
    assert (report.retain_accuracy, report.forget_accuracy, report.holdout_accuracy) == (
        0.75, 0.5, 0.75
    )  # fmt: skip
    assert (report.retain_count, report.forget_count, report.holdout_count) == (4, 2, 4)
    assert report.forget_loss == pytest.approx(float(losses[0].mean()))
    assert report.holdout_loss == pytest.approx(float(losses[1].mean()))
    assert report.retain_loss == pytest.approx(
        float((3 * torch.log1p(torch.exp(torch.tensor(-4.0))) + 4.01815) / 4), rel=1e-4
    )
    assert report.mia_auc == pytest.approx(auc)
    assert report.mia_standard_error == pytest.approx(hanley_mcneil_error(auc, 2, 4))


def test_the_report_is_plain_numbers_that_json_can_carry():
    report = evaluation_report(SCORES)
    text = json.dumps(asdict(report), allow_nan=False)
    assert type(report)(**json.loads(text)) == report
