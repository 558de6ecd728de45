import pytest
import torch

from unlearning.attacks.shadow import ShadowAttack, fit_shadow_attack
from unlearning.errors import EvidenceError
from unlearning.model.scores import Scores


def shadows(count, *, lift, seed):
    """Scores of two classes; of members the right one is `lift` higher."""
    random = torch.Generator().manual_seed(seed)
    values = torch.randn((count, 2), generator=random, dtype=torch.double)
    labels = torch.randint(2, (count,), generator=random)
    values[torch.arange(count), labels] += lift
    return Scores(values, labels)


def test_the_shadow_attack_tells_members_of_another_model():
    attack = fit_shadow_attack(
        [shadows(500, lift=3.0, seed=n) for n in range(2)],
        [shadows(500, lift=1.0, seed=n) for n in range(2, 4)],
    )
    told = attack.auc(shadows(400, lift=3.0, seed=9), shadows(400, lift=1.0, seed=10))
    assert told.auc > 0.8
    blind = attack.auc(shadows(400, lift=1.0, seed=9), shadows(400, lift=1.0, seed=10))
    assert abs(blind.auc - 0.5) < 3 * blind.standard_error
    with pytest.raises(EvidenceError, match="no shadow"):
        fit_shadow_attack([], [])


def test_the_shadow_attack_is_a_linear_rule_over_the_papers_inputs():
    # Softmax less label, of the label.
    rule = ShadowAttack(torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.double), 0.0)
    sure = Scores(torch.tensor([[5.0, 0.0]], dtype=torch.double), torch.tensor([0]))
    unsure = Scores(torch.tensor([[0.0, 0.0]], dtype=torch.double), torch.tensor([0]))
    assert rule.auc(sure, unsure).auc == 1.0
    assert rule.auc(unsure, sure).auc == 0.0
