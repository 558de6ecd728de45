"""Curves of a candidate: computed by hand on a few rows, and nothing in them that is one row's."""

import json
from dataclasses import asdict

import pytest
import torch

from unlearning.attacks.attacks import Signals
from unlearning.attacks.percentiles import percentiles
from unlearning.evaluation.curves import Reading, candidate_curves, overlap, roc
from unlearning.model.scores import Scores


def scores(losses, labels=None):
    """Scores of a two-class model with these losses."""
    wanted = torch.tensor(losses, dtype=torch.double)
    labels = torch.zeros(len(wanted), dtype=torch.int64) if labels is None else labels
    margins = -torch.log(torch.expm1(wanted))
    own = torch.stack([margins, torch.zeros_like(margins)], 1)
    return Scores(torch.where(labels.unsqueeze(1) == 0, own, own.flip(1)), labels)


def reading(forget, holdout):
    sets = {"forget": forget, "holdout": holdout}
    none = torch.empty((0, 0))
    return Reading(
        scores=sets, signals={n: Signals(s.margins, s.labels, none) for n, s in sets.items()}
    )


def curves(before, after):
    return candidate_curves(before, after, "loss", min_class_rows=10)


MANY = scores([0.05] * 15 + [5.0] * 10)
HALF = scores([0.5] * 20 + [5.0] * 20)


def test_the_histogram_by_hand():
    found = curves(reading(MANY, HALF), reading(HALF, HALF))
    # log10 of the losses is -1.3 to 0.7, in halves -1.5 to 1.0, in the least number of bins.
    width = 2.5 / 8
    assert found.losses.edges[0] == -1.5
    assert found.losses.edges[-1] == 1.0
    assert len(found.losses.edges) == 9
    assert [d * width for d in found.losses.forget_before] == pytest.approx(
        [0.6, 0, 0, 0, 0, 0, 0, 0.4], abs=1e-5
    )
    assert [d * width for d in found.losses.holdout_before] == pytest.approx(
        [0, 0, 0, 0.5, 0, 0, 0, 0.5], abs=1e-5
    )
    assert found.losses.forget_after == found.losses.holdout_after
    assert (found.forget_count, found.holdout_count) == (25, 40)
    losses = found.losses
    shared = overlap(losses.forget_before, losses.holdout_before, losses.edges)
    assert shared == pytest.approx(0.4, abs=1e-5)
    assert overlap(losses.forget_after, losses.holdout_after, losses.edges) == pytest.approx(1.0)


def test_rows_far_outside_go_into_the_outer_bins():
    far = scores([1e-12] + [0.5] * 500 + [1e2])
    found = curves(reading(far, far), reading(far, far)).losses
    assert (found.edges[0], found.edges[-1]) == (-0.5, 0.0)
    assert sum(found.forget_before) * (found.edges[1] - found.edges[0]) == pytest.approx(
        1, abs=1e-4
    )
    assert found.forget_before[0] > 0
    assert found.forget_before[-1] > 0


def test_the_roc_curve_by_hand():
    found = roc(torch.tensor([3.0, 1.0]), torch.tensor([2.0, 0.0]))
    assert found.false_positives == (0.0, 0.0, 0.5, 0.5, 1.0)
    assert found.true_positives == (0.0, 0.5, 0.5, 1.0, 1.0)


def test_a_long_roc_curve_is_thinned_and_keeps_its_ends():
    random = torch.Generator().manual_seed(0)
    members, others = (torch.rand(2000, generator=random) for _ in range(2))
    found = roc(members, others)
    assert len(found.false_positives) == len(found.true_positives) == 200
    assert (found.false_positives[0], found.true_positives[0]) == (0.0, 0.0)
    assert (found.false_positives[-1], found.true_positives[-1]) == (1.0, 1.0)
    assert list(found.true_positives) == sorted(found.true_positives)


def test_the_area_under_the_roc_curve_is_the_judged_auc_also_if_classes_differ():
    random = torch.Generator().manual_seed(1)
    labels = torch.randint(2, (400,), generator=random)
    # Class 1 is hard for the model: over all classes at once the AUC would be another one.
    losses = torch.rand(400, generator=random) + 0.1 + 2 * labels
    holdout = scores(losses.tolist(), labels)
    lower = scores((0.8 * losses[:100]).tolist(), labels[:100])
    found = curves(reading(lower, holdout), reading(lower, holdout))
    judged = percentiles(lower.margins, lower.labels, holdout.margins, labels, min_rows=10).auc
    area = torch.trapezoid(
        torch.tensor(found.roc_after.true_positives), torch.tensor(found.roc_after.false_positives)
    )
    assert float(area) == pytest.approx(judged, abs=0.01)
    assert judged > 0.6


def test_at_most_twenty_forget_rows_show_percentiles_only():
    holdout = scores([(i + 0.5) / 40 for i in range(40)])
    few = scores([0.9, 0.1, *[0.5] * 18])
    found = curves(reading(few, holdout), reading(few, holdout))
    assert (found.losses.forget_before, found.losses.forget_after) == ((), ())
    assert (found.roc_before, found.roc_after) == (None, None)
    assert sum(found.losses.holdout_before) > 0
    # A loss of 0.9 is below 4 of 40 unseen losses, one of 0.1 below 36.
    assert found.percentiles_before == pytest.approx((0.1, *[0.5] * 18, 0.9))
    one_more = scores([0.5] * 21)
    found = curves(reading(one_more, holdout), reading(one_more, holdout))
    assert (found.percentiles_before, found.percentiles_after) == ((), ())
    assert found.losses.forget_before
    assert found.roc_before is not None


def test_classes_by_hand_and_small_ones_together():
    right, wrong = 0.1, 3.0
    labels = torch.tensor([0] * 30 + [1] * 29 + [3] * 10)
    wide = torch.zeros(len(labels), 4, dtype=torch.double)

    def guessing(hits):
        guess = torch.where(torch.tensor(hits, dtype=torch.bool), labels, (labels + 1) % 4)
        return Scores(wide.scatter(1, guess.unsqueeze(1), 1.0), labels)

    before = guessing([True] * 69)
    after = guessing([True] * 24 + [False] * 6 + [False] * 39)
    forget = scores([right, wrong])
    found = curves(reading(forget, before), reading(forget, after))
    assert [(c.label, c.rows, c.before, c.after) for c in found.classes] == [
        (0, 30, 1.0, 0.8),
        (None, 39, 1.0, 0.0),
    ]
    assert found.hidden_rows == 0


def test_too_few_rows_of_small_classes_are_counted_and_not_shown():
    labels = torch.tensor([0] * 30 + [1] * 29)
    holdout = scores([0.1] * 59, labels)
    found = curves(reading(MANY, holdout), reading(MANY, holdout))
    assert [c.label for c in found.classes] == [0]
    assert found.hidden_rows == 29


def test_curves_are_ready_for_json():
    found = curves(reading(MANY, HALF), reading(MANY, HALF))
    text = json.dumps(asdict(found), allow_nan=False)
    assert json.loads(text)["forget_count"] == 25
