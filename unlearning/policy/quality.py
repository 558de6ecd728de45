"""The quality that was lost although a gate let it pass: in words, so that all notice."""

from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evidence.evidence import Evidence
from unlearning.policy.budget import is_exact

_NOTED = 0.02
"""A loss of two points in a hundred is said whatever chance explains."""


def holdout_fall(evidence: Evidence) -> str:
    """From what to what holdout accuracy fell, in words; empty where it may not have.

    Said if chance cannot explain it (the one-sided 95 % interval excludes 0), or if it is more than
    two points in a hundred.
    """
    error, loss = evidence.holdout_error, evidence.holdout_accuracy_loss
    if error is not None and error.certain_rise > 0:
        return f"Mean error on holdout rows rose: {error.before:.4g} -> {error.after:.4g}."
    before, after = evidence.before.holdout_accuracy, evidence.after.holdout_accuracy
    if after >= before or not (loss.certain > 0 or loss.value > _NOTED):
        return ""
    fell = f"{_share(before)} -> {_share(after)}"
    if error is not None:
        return (
            f"Share of holdout rows less than {error.tolerance:.4g} off fell: {fell}; mean error: "
            f"{error.before:.4g} -> {error.after:.4g}."
        )
    return f"Holdout accuracy fell: {fell}."


def what_helps_quality(config: UnlearningConfig, method: str) -> str:
    """What would keep a retrain as good as the original, in one sentence; empty if nothing more.

    A retrain by the numbers that nobody set is trained as expunge does, not as its owner did.
    """
    if not is_exact(method) or config.retraining != TrainingConfig():
        return ""
    return (
        "It was retrained by expunge's own numbers; the owner's way of training would help: set "
        "unlearning.retraining, or give the owner's recipe, and enrol the model again."
    )


def _share(value: float) -> str:
    """A share as people write it in a hurry: .612."""
    return f"{value:.3f}".removeprefix("0")
