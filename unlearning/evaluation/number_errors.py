"""How far off a model of numbers is, before and after.

Letters: N rows.
"""

from statistics import NormalDist

import torch
from torch import Tensor

from unlearning.errors import EvidenceError
from unlearning.evidence.evidence import NumberError
from unlearning.model.scores import Scores

_CONFIDENCE = 0.95


def number_error(before: Scores, after: Scores, *, tolerance: float) -> NumberError:
    """The errors of both models on the same rows, and how much they rose for certain.

    Formula: e = T exp(-phi / 2) for the margin phi of a row, which undoes
    `unlearning.model.adapted.number_scores`. The certain rise is (mean d - 1.645 sd(d) / sqrt(N)) /
    mean e_before, d the absolute error after less the one before, row by row.

    Args:
        before: Of the original.
        after: Of the candidate.
        tolerance: T, in the units of the label.

    Raises:
        EvidenceError: the two were measured on different rows, or there are none.
    """
    old, new = (_errors(one, tolerance) for one in (before, after))
    if len(old) != len(new) or not len(old):
        raise EvidenceError(
            f"The original was measured on {len(old)} rows and the candidate on {len(new)}; "
            "measure both on the same rows."
        )
    rise = new - old
    doubt = NormalDist().inv_cdf(_CONFIDENCE) * float(rise.std(correction=0)) / len(rise) ** 0.5
    usual = max(float(old.mean()), torch.finfo(torch.double).tiny)
    return NumberError(
        rows=len(old),
        tolerance=tolerance,
        before=float(old.mean()),
        after=float(new.mean()),
        before_root=float(old.square().mean().sqrt()),
        after_root=float(new.square().mean().sqrt()),
        certain_rise=(float(rise.mean()) - doubt) / usual,
    )


def _errors(scores: Scores, tolerance: float) -> Tensor:
    return tolerance * (-scores.margins.double() / 2).exp()
