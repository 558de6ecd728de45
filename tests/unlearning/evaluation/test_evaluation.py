import json
from dataclasses import asdict

import pytest
import torch
from torch import nn

from tests.oracles import Fingerprint, pairwise_auc
from unlearning.attacks.membership import hanley_mcneil_error
from unlearning.errors import DataError, DivergenceError
from unlearning.evaluation.evaluation import evaluate
from unlearning.model.losses import per_row_loss
from unlearning.model.rows import TensorRows


def scored(*scores_and_labels):
    """Rows whose inputs are the scores that an identity model gives them."""
    scores, labels = zip(*scores_and_labels, strict=True)
    return TensorRows(torch.tensor(scores), torch.tensor(labels))


RETAIN = scored(([4.0, 0.0], 0), ([0.0, 4.0], 1), ([0.0, 4.0], 1), ([4.0, 0.0], 1))
FORGET = scored(([3.0, 0.0], 0), ([1.0, 0.0], 1))
HOLDOUT = scored(([3.0, 0.0], 0), ([0.0, 2.0], 1), ([0.0, 5.0], 0), ([0.0, 2.5], 1))


def test_the_report_of_a_model_with_known_scores():
    report = evaluate(nn.Identity(), retain=RETAIN, forget=FORGET, holdout=HOLDOUT, chunk_size=3)
    losses = [per_row_loss(nn.Identity(), rows, chunk_size=9) for rows in (FORGET, HOLDOUT)]
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


@pytest.mark.parametrize("shape", [nn.Identity(), nn.Flatten(0)])
def test_a_binary_model_with_one_log_odds_gets_the_report_of_its_two_class_form(shape):
    def single(rows):
        return TensorRows((rows.inputs[:, 1] - rows.inputs[:, 0]).unsqueeze(1), rows.labels)

    sets = {"retain": RETAIN, "forget": FORGET, "holdout": HOLDOUT}
    singles = {name: single(rows) for name, rows in sets.items()}
    expected = evaluate(nn.Identity(), **sets, chunk_size=3).as_dict()
    assert evaluate(shape, **singles, chunk_size=3).as_dict() == pytest.approx(expected)


def test_the_report_is_plain_numbers_that_json_can_carry():
    report = evaluate(nn.Identity(), retain=RETAIN, forget=FORGET, holdout=HOLDOUT, chunk_size=2)
    text = json.dumps(report.as_dict(), allow_nan=False)
    assert type(report)(**json.loads(text)) == report
    assert report.as_dict() == asdict(report)


@pytest.mark.parametrize("name", ["stateful", "exported"])
def test_the_model_is_left_bit_for_bit_as_it_was(name, rows, request):
    model = request.getfixturevalue(name)
    before = Fingerprint.of(model)
    first, second = (
        evaluate(model, retain=rows(20), forget=rows(5, 1), holdout=rows(9, 2), chunk_size=4)
        for _ in range(2)
    )
    assert first == second
    before.assert_same(model)


@pytest.mark.parametrize("name", ["retain", "forget", "holdout"])
def test_an_empty_set_is_refused(rows, name):
    sets = {"retain": RETAIN, "forget": FORGET, "holdout": HOLDOUT} | {name: rows(0)}
    with pytest.raises(DataError, match="empty"):
        evaluate(nn.Identity(), **sets, chunk_size=2)


def test_a_model_whose_losses_are_not_finite_gets_no_report():
    broken = scored(([float("nan"), 0.0], 0))
    with pytest.raises(DivergenceError):
        evaluate(nn.Identity(), retain=RETAIN, forget=broken, holdout=HOLDOUT, chunk_size=2)
