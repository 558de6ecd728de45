"""The shadow-model attack of the IAU paper, for comparison with its figures.

Reference models double as shadows: it is known of them which rows they were trained on. A
classifier learns from them how members look, and is asked about the forget rows of another model.

Letters: S rows of all shadows, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import one_hot

from unlearning.attacks.membership import MembershipResult, membership_auc
from unlearning.errors import EvidenceError
from unlearning.model.scores import Scores


@dataclass(frozen=True, slots=True, eq=False)
class ShadowAttack:
    """A linear classifier of members against others."""

    weights: Tensor
    """float64 [2 C]."""
    shift: float

    def auc(self, forget: Scores, holdout: Scores) -> MembershipResult:
        """How well it tells forget rows from holdout rows: 0.5 = not at all, 1.0 = always.

        Below 0.5 forget rows look less like members than unseen rows do.
        """
        return membership_auc(-self._score(forget), -self._score(holdout))

    def _score(self, scores: Scores) -> Tensor:
        """The log-odds of membership of each row [N]."""
        return _features(scores) @ self.weights + self.shift


def fit_shadow_attack(members: Sequence[Scores], others: Sequence[Scores]) -> ShadowAttack:
    """The attack that these shadows teach.

    The paper's inputs (softmax less the one-hot label, and the one-hot label) with the label's
    entry put first and the others in falling order, so that a linear rule can use them; logistic
    regression where the paper trains a small network (our choice: it has one solution and no
    seed). Cost O(S C) for each of some dozens of iterations.

    Args:
        members: Of each shadow the scores of rows that it was trained on.
        others: Of each shadow the scores of rows that it never saw.

    Raises:
        EvidenceError: there is no shadow.
    """
    if not members or not others:
        raise EvidenceError("There are no shadow models; let the policy have references.")
    inputs = torch.cat([_features(one) for one in (*members, *others)])
    count = sum(len(one.labels) for one in members)
    is_member = (torch.arange(len(inputs)) < count).numpy()
    # Balanced: how many rows of each kind were taken says nothing about the forget rows.
    found = LogisticRegression(max_iter=200, class_weight="balanced").fit(inputs.numpy(), is_member)
    return ShadowAttack(torch.tensor(found.coef_[0]), float(found.intercept_[0]))


def _features(scores: Scores) -> Tensor:
    label = one_hot(scores.labels, scores.values.shape[1]).double()
    own = (scores.probabilities * label).sum(1, keepdim=True)
    others = (scores.probabilities * (1 - label)).sort(1, descending=True).values
    return torch.cat([own - 1, others[:, :-1], label], dim=1)
