"""Membership attacks: statistics of single rows that are higher if the model was trained on them.

Symbols: phi the margin of a row's label under the model, phi_k under reference model k, p and p_k
the probabilities sigmoid(phi) and sigmoid(phi_k). Letters: N rows, K reference models.

A reference model has the form of the model and was trained on none of the rows in question. What it
says of a row is how hard the row is, which the plain loss cannot tell from how new it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from unlearning.errors import DataError
from unlearning.evidence.evidence import AttackName
from unlearning.model.rows import Rows
from unlearning.model.scores import Scores, read_scores


@dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """What a model and its references say of a set of rows."""

    margins: Tensor
    """phi of each row, float64 [N]."""
    labels: Tensor
    """int64 [N]."""
    references: Tensor
    """phi_k of each row, float64 [K, N]; K is 0 without references."""


def read_signals(
    scores: Scores,
    references: Sequence[nn.Module],
    rows: Rows,
    *,
    chunk_size: int,
    device: str = "cpu",
) -> Signals:
    """Margins of the rows under the model whose scores these are, and under each reference.

    Cost: one pass for each reference; memory of 8 bytes for each row and reference.

    Raises:
        DataError: the scores are of other rows.
        DivergenceError: a score of a reference is not finite.
    """
    if len(scores.labels) != rows.count:
        raise DataError(
            f"There are scores of {len(scores.labels)} rows for {rows.count} rows; read them anew."
        )
    known = [
        read_scores(one, rows, chunk_size=chunk_size, device=device).margins for one in references
    ]
    stacked = torch.stack(known) if known else scores.values.new_zeros((0, rows.count))
    return Signals(scores.margins, scores.labels, stacked)


def row_statistics(attack: AttackName, signals: Signals) -> Tensor:
    """The attack's statistic of each row, float64 [N]; `lira` and `rmia` need references.

    Formulas:
        "loss"  phi                       the loss threshold (Yeom et al. 2018): loss is
                                          softplus(-phi), so it ranks rows alike
        "lira"  phi - mean_k phi_k        offline LiRA (Carlini et al. 2022) with one variance for
                                          all rows, which few references allow
        "rmia"  log p - log mean_k p_k    offline RMIA (Zarifzadeh et al. 2024): its likelihood
                                          ratio; comparing with holdout rows is its population
    """
    return _STATISTICS[attack](signals)


def available_attacks(signals: Signals) -> tuple[AttackName, ...]:
    """The attacks that the signals allow; those with references only where there are some."""
    return tuple(_STATISTICS) if len(signals.references) else ("loss",)


def _loss(signals: Signals) -> Tensor:
    return signals.margins


def _lira(signals: Signals) -> Tensor:
    return signals.margins - signals.references.mean(0)


def _rmia(signals: Signals) -> Tensor:
    typical = (
        logsigmoid(signals.references).logsumexp(0)
        - torch.tensor(len(signals.references), dtype=torch.double).log()
    )
    return logsigmoid(signals.margins) - typical


_STATISTICS: Mapping[AttackName, Callable[[Signals], Tensor]] = {
    "loss": _loss,
    "lira": _lira,
    "rmia": _rmia,
}
