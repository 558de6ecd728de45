"""Margins: how sure a model is of a row's label, and where unseen rows of the same kind stand.

Symbols: z the class scores of a row, y its label, p = softmax(z).
Letters: N rows of a set, C classes.
"""

import torch
from torch import Tensor


def margin(scores: Tensor, labels: Tensor) -> Tensor:
    """The margin of each row [N]: phi = log p_y - log(1 - p_y) = z_y - logsumexp of the other z.

    The cross-entropy loss is softplus(-phi): rows with equal margins have equal losses, and so look
    the same to a loss-based attack. Unlike the loss it does not flatten out on confident rows.
    """
    index = labels.unsqueeze(1)
    others = scores.scatter(1, index, float("-inf")).logsumexp(1)
    return scores.gather(1, index).squeeze(1) - others


def class_groups(forget: Tensor, retain: Tensor, holdout: Tensor, *, min_rows: int) -> Tensor:
    """The group of each class [C]: the class itself, or -1 for all rare classes together.

    A class is rare if the retain or the holdout sample holds fewer than `min_rows` of it. The
    arguments are labels.
    """
    classes = 1 + int(torch.cat([forget, retain, holdout]).max())
    counts = torch.stack([torch.bincount(part, minlength=classes) for part in (retain, holdout)])
    return torch.where((counts >= min_rows).all(0), torch.arange(classes), -1)


def difficulty_levels(
    forget: tuple[Tensor, Tensor], retain: tuple[Tensor, Tensor], groups: Tensor, *, share: float
) -> Tensor:
    """The level of difficulty of each forget row, float64 [N] in (0, 1).

    Formula (our choice): u_i = w F_g(s_i) + (1 - w) (rank_i - 1/2) / n_g, with s a score that rises
    with how well the rest of the data supports a row, F_g its distribution over retain rows of the
    same group g, rank_i among the n_g forget rows of the group, w = `share`. F_g knows that a
    forget set is harder or easier than average, the rank spreads the set over all levels.

    Args:
        forget: Scores and labels of the forget rows.
        retain: Scores and labels of retain rows.
        groups: See `class_groups`.
        share: w, from 0 to 1.
    """
    scores, labels = forget
    retain_scores, retain_labels = retain
    levels = torch.empty(len(labels), dtype=torch.double)
    for group in _distinct(groups[labels]):
        mine = groups[labels] == group
        index, weights = _peers(labels[mine], retain_labels, len(groups))
        level = _distribution(retain_scores[index], weights, scores[mine])
        rank = (scores[mine].argsort(stable=True).argsort(stable=True) + 0.5) / int(mine.sum())
        levels[mine] = share * level + (1 - share) * rank
    return levels


def target_margins(
    levels: Tensor, labels: Tensor, holdout: tuple[Tensor, Tensor], groups: Tensor
) -> Tensor:
    """The margin each forget row should have [N]: that of a holdout row of its group and level.

    Formula (our choice): t_i = Q_g(u_i), Q_g the quantile function of the holdout margins in group
    g, weighted to the forget set's mix of classes.
    """
    margins, holdout_labels = holdout
    targets = torch.empty(len(labels), dtype=margins.dtype)
    for group in _distinct(groups[labels]):
        mine = groups[labels] == group
        index, weights = _peers(labels[mine], holdout_labels, len(groups))
        targets[mine] = _quantile(margins[index], weights, levels[mine])
    return targets


def _distinct(groups: Tensor) -> list[int]:
    return sorted({int(group) for group in groups})


def _peers(labels: Tensor, sample: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Sample rows that share a class with `labels`, weighted to their mix; all rows if none do."""
    wanted = torch.bincount(labels, minlength=classes)
    present = torch.bincount(sample, minlength=classes).clamp(min=1)
    weights = (wanted / present)[sample].double()
    index = weights.nonzero().squeeze(1)
    if len(index):
        return index, weights[index]
    return torch.arange(len(sample)), torch.ones_like(weights)


def _distribution(values: Tensor, weights: Tensor, points: Tensor) -> Tensor:
    """The weighted distribution function at the points, ties counted half, kept off 0 and 1."""
    values, order = values.sort(stable=True)
    total = torch.cat([weights.new_zeros(1), weights[order].cumsum(0)])
    below = torch.searchsorted(values, points)
    upto = torch.searchsorted(values, points, right=True)
    edge = 0.5 / len(values)
    return ((total[below] + total[upto]) / (2 * total[-1])).clamp(edge, 1 - edge)


def _quantile(values: Tensor, weights: Tensor, levels: Tensor) -> Tensor:
    """The weighted quantile function at the levels: mid-point rule, linear in between."""
    values, order = values.sort(stable=True)
    weights = weights[order]
    middle = (weights.cumsum(0) - weights / 2) / weights.sum()
    right = torch.searchsorted(middle, levels).clamp(max=len(values) - 1)
    left = (right - 1).clamp(min=0)
    share = (levels - middle[left]) / (middle[right] - middle[left]).clamp(min=1e-12)
    return values[left].lerp(values[right], share.clamp(0, 1).to(values.dtype))
