"""Loss-based membership inference: can the forget rows be told from rows never trained on?

Letters: M members (forget rows), H non-members (holdout rows).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from unlearning.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class MembershipResult:
    """How well the attack tells members from non-members."""

    auc: float
    """0.5 = forgotten, 1.0 = remembered, clearly below 0.5 = over-forgotten."""
    standard_error: float
    """Standard error of the AUC over draws of members and non-members."""


def membership_auc(member_losses: Tensor, non_member_losses: Tensor) -> MembershipResult:
    """The AUC of the attack that takes a low loss for membership, with its standard error.

    Formula: the share of (member, non-member) pairs in which the member has the smaller loss, a tie
    counting one half (Mann-Whitney U). The attack is the usual loss threshold
    (Yeom et al. 2018), at every threshold at once. Standard error: `hanley_mcneil_error`.

    Shapes: losses [M] and [H]. Cost O((M + H) log(M + H)).

    Raises:
        EvidenceError: a side is empty, not one-dimensional, or holds a number that is not finite.
    """
    _check_losses(member_losses, "forget")
    _check_losses(non_member_losses, "holdout")
    members, others = member_losses.numel(), non_member_losses.numel()
    scores = -torch.cat([member_losses, non_member_losses]).double().cpu()
    auc = float(roc_auc_score(np.arange(len(scores)) < members, scores.numpy()))
    return MembershipResult(auc, hanley_mcneil_error(auc, members, others))


def hanley_mcneil_error(auc: float, members: int, others: int) -> float:
    """The standard error of an AUC A from M and H rows (Hanley and McNeil 1982).

    Formula: sqrt((A (1 - A) + (M - 1)(Q1 - A^2) + (H - 1)(Q2 - A^2)) / (M H)) with
    Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A).

    Our choice over DeLong's: it depends on A and the counts alone, so one forget row gives a large
    error. DeLong's needs at least two, and two of them that happen to lie close give nearly zero.
    """
    pair_of_members = auc / (2 - auc)
    pair_of_others = 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc)
    spread += (members - 1) * (pair_of_members - auc**2)
    spread += (others - 1) * (pair_of_others - auc**2)
    return sqrt(max(spread, 0.0) / (members * others))  # rounding at A = 0 or 1


def _check_losses(losses: Tensor, name: str) -> None:
    if losses.ndim != 1 or losses.numel() == 0:
        raise EvidenceError(
            f"The {name} losses have shape {tuple(losses.shape)}; give one loss for each row, "
            "and at least one row."
        )
    if not bool(losses.isfinite().all()):
        raise EvidenceError(
            f"At least one {name} loss is not finite; look for broken weights or inputs first."
        )
