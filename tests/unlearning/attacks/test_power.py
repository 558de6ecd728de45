import pytest

from tests.unlearning.evaluation.test_forgetting import POLICY, world
from unlearning.attacks.power import attack_power, expected_power
from unlearning.evaluation.forgetting import forgetting_evidence
from unlearning.evidence.attack_power import AttackPower


@pytest.mark.parametrize("count", [10, 40, 200])
def test_what_is_foreseen_is_what_the_gate_will_find(count):
    before, after = world(count, learned=0.4)
    power = attack_power(before["retain"], before["holdout"], min_class_rows=POLICY.min_class_rows)
    found = forgetting_evidence(before, after, POLICY)
    assert power.attack == found.judged.attack
    assert power.auc == pytest.approx(found.judged.member_auc, abs=0.02)
    assert expected_power(power, count, POLICY) == pytest.approx(found.power, abs=0.06)


def test_more_rows_and_more_memory_give_more_power():
    def power(auc, count):
        power = AttackPower(attack="rmia", auc=auc, deviation=0.28, holdout_variance=1e-5)
        return expected_power(power, count, POLICY)

    assert power(0.6, 10) < power(0.6, 50) < power(0.6, 500)
    assert power(0.5, 50) < power(0.6, 50) < power(0.7, 50)
    assert power(0.5, 50) == pytest.approx(POLICY.false_alarm, abs=0.01)
