"""Measurement of a model's utility and forgetting."""

from torch import nn

from unlearning.attacks.membership import membership_auc
from unlearning.evidence.evaluation_report import EvaluationReport
from unlearning.model.losses import SetScores, score_rows
from unlearning.model.rows import Rows

__all__ = ["EvaluationReport", "evaluate", "report_of"]


def evaluate(
    model: nn.Module,
    *,
    retain: Rows,
    forget: Rows,
    holdout: Rows,
    chunk_size: int,
    device: str = "cpu",
) -> EvaluationReport:
    """Accuracy and loss on each set, and how well forget rows can be told from holdout rows.

    One pass over each set in evaluation mode; the model is left exactly as it was. Memory for one
    chunk, plus 8 bytes for each forget and holdout row.

    Raises:
        DataError: a set is empty, or a label is not a class of the model.
        DivergenceError: a loss is not finite.
        UnsupportedModelError: the model does not give plain class scores.
    """

    def score(rows: Rows, *, keep_losses: bool) -> SetScores:
        return score_rows(
            model, rows, chunk_size=chunk_size, device=device, keep_losses=keep_losses
        )

    retained = score(retain, keep_losses=False)
    forgotten = score(forget, keep_losses=True)
    held_out = score(holdout, keep_losses=True)
    return report_of(retained, forgotten, held_out)


def report_of(retained: SetScores, forgotten: SetScores, held_out: SetScores) -> EvaluationReport:
    """The report that these scores make; forget and holdout rows with their losses.

    Raises:
        EvidenceError: losses were not kept.
    """
    attack = membership_auc(forgotten.kept_losses(), held_out.kept_losses())
    return EvaluationReport(
        retain_accuracy=retained.accuracy,
        forget_accuracy=forgotten.accuracy,
        holdout_accuracy=held_out.accuracy,
        retain_loss=retained.mean_loss,
        forget_loss=forgotten.mean_loss,
        holdout_loss=held_out.mean_loss,
        mia_auc=attack.auc,
        mia_standard_error=attack.standard_error,
        retain_count=retained.row_count,
        forget_count=forgotten.row_count,
        holdout_count=held_out.row_count,
    )
