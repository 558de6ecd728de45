import pytest

from unlearning.evidence.attack_power import AttackPower


def test_what_was_measured_cannot_be_changed():
    power = AttackPower(attack="loss", auc=0.7, deviation=0.2, holdout_variance=0.01)
    assert power == AttackPower(attack="loss", auc=0.7, deviation=0.2, holdout_variance=0.01)
    with pytest.raises(AttributeError):
        power.auc = 0.5  # pyright: ignore[reportAttributeAccessIssue]
