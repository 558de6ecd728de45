import pytest

from tests.unlearning.gate.examples import LOSSES, POLICY, changed, failed, hiding
from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_that_is_no_number_fails(name):
    assert not decide(changed(**{name: float("nan")}), POLICY).passed


@pytest.mark.parametrize("side", ["holdout", "retain"])
@pytest.mark.parametrize(
    ("possible", "exact", "is_failed"),
    [(0.1, False, False), (0.1001, False, True), (0.2, True, False), (0.2001, True, True)],
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
    lost = changed(holdout_accuracy_loss=few, retain_accuracy_loss=hiding(0.5, certain=0.1001))
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
