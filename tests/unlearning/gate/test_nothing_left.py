"""Nothing left to see: when it passes, and how seldom it passes rows that are remembered."""

from dataclasses import replace

import pytest
import torch

from tests.unlearning.gate.examples import AFTER, BEFORE, EVIDENCE, JUDGED, changed
from unlearning.attacks.percentiles import Percentiles
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Canaries, Pool, Probes, UnseenAccuracy
from unlearning.gate.gate import decide
from unlearning.gate.nothing_left import control_margin, seen_at_most

POLICY = GatePolicy()
BOUND = POLICY.nothing_left_auc
ROWS, VARIANCE = 80, 1 / 12 / 1_000
PRESSED = Canaries(count=128, planted=0.52, erased=0.5, limit=0.56, pressed=0.9)


def weak(before=0.51, after=0.5, *, rows=ROWS, error=None, probes=Probes(canaries=PRESSED), **more):  # noqa: B008
    """Of a model that generalises: train .60, test .58, and the attack has no power."""
    error = (1 / 12 / rows + VARIANCE) ** 0.5 if error is None else error
    judged = replace(
        JUDGED, member_auc=0.52, before=before, before_error=error, after=after, after_error=error
    )
    pool = Pool(count=rows, before=before * rows, after=after * rows, variance=VARIANCE)
    forgetting = {
        "judged": judged, "count": rows, "power": 0.1, "upper": 0.577, "lower": 0.423,
        "own": pool, "pooled": pool, "pooled_power": 0.1, "member_error": 0.01, **more,
    }  # fmt: skip
    report = {"forget_accuracy": 0.58, "holdout_accuracy": 0.58, "forget_count": rows}
    return replace(
        EVIDENCE,
        before=replace(BEFORE, **report),
        after=replace(AFTER, **report),
        forgetting=replace(EVIDENCE.forgetting, **forgetting),
        probes=probes,
        unseen_accuracy=UnseenAccuracy(before=0.58, after=0.58),
    )


def outcome(evidence, policy=POLICY):
    decision = decide(evidence, policy)
    return decision.outcome, decision.passed


def test_a_model_that_gives_nothing_away_passes_with_its_bound():
    decision = decide(weak(), POLICY)
    assert (decision.outcome, decision.passed) == ("nothing left to see", True)
    assert "attack_power" in decision.not_shown
    (bound,) = [c for c in decision.checks if c.name == "nothing_left_auc"]
    assert bound.upper == BOUND
    # 0.51 + 1.7507 sqrt(1 / 12 / 80 + 1 / 12 / 1000)
    assert bound.value == pytest.approx(0.51 + 1.7507 * (1 / 960 + 1 / 12_000) ** 0.5, abs=1e-4)


@pytest.mark.parametrize(
    "evidence",
    [
        weak(before=0.55),
        weak(after=0.55),
        weak(after=0.44),
        weak(rows=29),
        weak(error=0.06),
        weak(others=(replace(JUDGED, before=0.6, before_error=0.03),)),
        weak(probes=Probes()),
        weak(probes=Probes(canaries=replace(PRESSED, pressed=None))),
        weak(probes=Probes(canaries=replace(PRESSED, pressed=0.57))),
    ],
    ids=[
        "the original is seen", "the candidate is seen", "it stands out as new", "too few rows",
        "too much doubt", "another attack sees more", "no control", "a control that was not caught",
        "a control with too little power",
    ],
)  # fmt: skip
def test_what_cannot_be_bounded_stays_undecided(evidence):
    assert outcome(evidence) == ("cannot decide", False)


@pytest.mark.parametrize("field", ["before", "before_error", "after", "after_error"])
def test_a_number_that_is_missing_bounds_nothing(field):
    broken = changed(weak(), judged={field: float("nan")})
    assert seen_at_most(broken) is None
    assert not decide(broken, POLICY).passed


def test_right_answers_are_an_attack_too():
    knows = weak()
    knows = replace(knows, before=replace(knows.before, forget_accuracy=0.75))
    assert outcome(knows) == ("cannot decide", False)
    assert seen_at_most(knows) == pytest.approx(0.5 + 0.5 * (0.162 + 0.092), abs=0.01)


def test_retain_rows_are_a_control_where_they_are_many_and_only_without_required_canaries():
    many = weak(probes=Probes(), member_error=0.004)
    assert outcome(many) == ("nothing left to see", True)
    assert control_margin(many, POLICY) == pytest.approx(0.52 - (0.5 + 3.168 * 0.004), abs=1e-4)
    demanding = replace(POLICY, require_canaries=True)
    assert outcome(many, demanding)[1] is False
    assert outcome(weak(), demanding) == ("nothing left to see", True)


def test_an_older_release_measured_no_error_of_the_retain_rows():
    assert control_margin(weak(probes=Probes(), member_error=None), POLICY) is None


def test_a_half_as_bound_is_never_reached_and_a_loss_of_utility_still_fails():
    assert outcome(weak(), replace(POLICY, nothing_left_auc=0.5)) == ("cannot decide", False)
    lost = changed(weak(), holdout_accuracy_loss=0.05)
    assert outcome(lost) == ("nothing left to see", False)
    assert decide(lost, POLICY).lost_utility


def test_where_the_attack_can_decide_nothing_else_is_asked():
    names = {c.name for c in decide(EVIDENCE, POLICY).checks}
    assert not names & {"attack_works", "nothing_left_auc"}
    assert outcome(changed(EVIDENCE, judged={"after": 0.56})) == ("remembered", False)


def shares(kind, draws, rows, seed):
    """Percentiles [draws, rows] of rows that are remembered exactly at the bound."""
    random = torch.Generator().manual_seed(seed)
    even = torch.rand((draws, rows), generator=random, dtype=torch.double)
    known = 2 * (BOUND - 0.5)
    if kind == "a fifth wholly, the others not at all":
        is_known = torch.rand((draws, rows), generator=random, dtype=torch.double) < known
        return torch.where(is_known, 1.0, even)
    if kind == "the upper half wholly":
        return torch.where(even > 1 - known**0.5, 1.0, even)
    return even ** ((1 - BOUND) / BOUND)  # each a little


@pytest.mark.parametrize("rows", [30, 80, 300])
@pytest.mark.parametrize(
    "kind", ["each a little", "a fifth wholly, the others not at all", "the upper half wholly"]
)
def test_rows_remembered_at_the_bound_pass_five_times_in_a_hundred_at_most(kind, rows):
    """Though nothing was done: the candidate is the original."""
    draws = 1_000
    random = torch.Generator().manual_seed(7)
    noise = VARIANCE**0.5 * torch.randn(draws, generator=random, dtype=torch.double)
    passed = 0
    for values, shift in zip(shares(kind, draws, rows, seed=rows), noise, strict=True):
        seen = Percentiles(values, VARIANCE)
        auc = seen.auc + float(shift)
        passed += outcome(weak(auc, auc, rows=rows, error=seen.standard_error))[1]
    assert passed <= 0.05 * draws


def test_rows_of_which_there_is_nothing_to_see_mostly_pass():
    draws, rows = 500, 150
    random = torch.Generator().manual_seed(3)
    even = torch.rand((draws, rows), generator=random, dtype=torch.double)
    seen = [Percentiles(one, VARIANCE) for one in even]
    passed = sum(outcome(weak(s.auc, s.auc, rows=rows, error=s.standard_error))[1] for s in seen)
    assert passed >= 0.9 * draws
