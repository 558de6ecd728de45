from dataclasses import replace

import pytest
from sample_evidence import NUMBER_ERROR

from tests.unlearning.gate.examples import EVIDENCE, LOSSES, POLICY, changed, failed, hiding
from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_that_is_no_number_fails(name):
    assert not decide(changed(**{name: float("nan")}), POLICY).passed


@pytest.mark.parametrize(
    ("side", "possible", "exact", "is_failed"),
    [
        ("holdout", 0.1, False, False),
        ("holdout", 0.1001, False, True),
        ("retain", 0.1, False, False),
        ("retain", 0.1001, False, True),
        ("holdout", 0.2, True, False),
        ("holdout", 0.2001, True, True),
    ],
)
def test_rows_too_few_to_see_a_loss_fail_by_name(side, possible, exact, is_failed):
    evidence = changed(**{f"{side}_accuracy_loss": hiding(possible)})
    decision = decide(evidence, GatePolicy(undecided="accept"), exact=exact)
    assert decision.failed_names == ((f"possible_{side}_loss",) if is_failed else ())
    assert decision.has_too_few_rows is is_failed
    assert decision.passed is (exact or not is_failed)
    assert decision.not_shown == (decision.failed_names if exact else ())
    assert not decision.lost_utility
    (one,) = [c for c in decision.checks if c.name == f"possible_{side}_loss"]
    assert (one.value, one.upper) == (possible, 0.2 if exact else 0.1)


def test_few_rows_hold_up_no_retrain_but_a_loss_that_they_show_does():
    few = hiding(0.5)
    both = changed(holdout_accuracy_loss=few, retain_accuracy_loss=few)
    assert decide(both, POLICY, exact=True).passed
    lost = changed(holdout_accuracy_loss=hiding(0.5, certain=0.1001))
    assert not decide(lost, POLICY, exact=True).passed
    of_a_class = changed(holdout_accuracy_loss=few, class_accuracy_loss=0.3)
    assert not decide(of_a_class, POLICY, exact=True).passed
    missing = changed(holdout_accuracy_loss=hiding(float("nan")))
    assert not decide(missing, GatePolicy(undecided="accept"), exact=True).passed


def test_a_policy_that_allows_a_loss_allows_it_to_hide():
    wide = GatePolicy(max_holdout_accuracy_loss=0.3, max_exact_accuracy_loss=1.0)
    assert failed(changed(holdout_accuracy_loss=hiding(0.3)), wide) == ()
    assert failed(changed(retain_accuracy_loss=hiding(0.3)), wide) == ("possible_retain_loss",)
    assert failed(changed(retain_accuracy_loss=hiding(0.9)), wide, exact=True) == ()


def test_a_retrain_that_fits_its_rows_less_and_new_people_better_passes():
    """Holdout .523 to .552, retain .715 to .591: it generalises better than the original."""
    better = changed(
        holdout_accuracy_loss=hiding(0.01, certain=-0.05),
        retain_accuracy_loss=hiding(0.137, certain=0.111),
    )
    decision = decide(better, GatePolicy(), exact=True)
    assert decision.passed
    assert not decision.lost_utility
    (stated,) = [c for c in decision.checks if "retain" in c.name]
    assert (stated.name, stated.value, stated.upper) == ("retain_accuracy_loss", 0.111, None)
    assert not decide(better, GatePolicy()).passed


def test_a_retrain_that_fits_its_rows_better_and_new_people_worse_does_not_pass():
    worse = changed(
        holdout_accuracy_loss=hiding(0.15, certain=0.11),
        retain_accuracy_loss=hiding(-0.05, certain=-0.07),
    )
    decision = decide(worse, GatePolicy(), exact=True)
    assert decision.failed_names == ("holdout_accuracy_loss",)
    assert decision.lost_utility


def test_a_retain_accuracy_that_is_missing_never_passes():
    missing = changed(retain_accuracy_loss=hiding(float("nan"), certain=float("nan")))
    assert not decide(missing, GatePolicy(), exact=True).passed


@pytest.mark.parametrize(
    ("rise", "exact", "is_failed"),
    [(0.05, False, False), (0.0501, False, True), (0.2, True, False), (0.2001, True, True)],
)
def test_numbers_that_are_further_off_for_certain_fail(rise, exact, is_failed):
    evidence = replace(EVIDENCE, holdout_error=replace(NUMBER_ERROR, certain_rise=rise))
    decision = decide(evidence, POLICY, exact=exact)
    assert decision.failed_names == (("holdout_error_rise",) if is_failed else ())
    assert decision.lost_utility is is_failed
