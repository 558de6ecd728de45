"""The measurement of a candidate: one pass of both models over three sets, all evidence from it.

The rows must be ones that the update did not read, forget rows apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from unlearning.attacks.attacks import Signals, read_signals
from unlearning.attacks.membership import membership_auc
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.accuracy_loss import (
    accuracy_loss,
    matched_accuracy,
    worst_class_loss,
    worst_slice_loss,
)
from unlearning.evaluation.forgetting import forgetting_evidence
from unlearning.evaluation.number_errors import number_error
from unlearning.evaluation.utility import utility_of
from unlearning.evidence.evidence import (
    AttackName,
    Evidence,
    ForgettingEvidence,
    Pool,
    UnseenAccuracy,
)
from unlearning.evidence.utility_report import EvaluationReport, Utility
from unlearning.model.adapted import tolerance_of
from unlearning.model.rows import Rows, draw
from unlearning.model.scores import Scores, read_scores

Slices = Mapping[str, Sequence[str]]
"""The value of each row, by slice column."""
_MEMBERS = 1000
"""Retain rows that the attack's power is measured on."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Measurement:
    """What was read off the models, and the evidence that it makes."""

    before: Mapping[str, Scores]
    """The original's scores of the sets "retain", "forget" and "holdout"."""
    after: Mapping[str, Scores]
    """The candidate's."""
    signals_before: Mapping[str, Signals]
    """What the original and the references say; of at most 1,000 retain rows."""
    signals_after: Mapping[str, Signals]
    """What the candidate and the references say of forget and holdout rows."""
    evidence: Evidence


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EvidenceRows:
    """Rows that a candidate is measured on."""

    retain: Rows
    forget: Rows
    holdout: Rows
    slices: Mapping[str, Slices] = field(default_factory=dict[str, Slices])
    """Of the sets "retain" and "holdout"."""

    def sets(self) -> dict[str, Rows]:
        """The three sets by name."""
        return {"retain": self.retain, "forget": self.forget, "holdout": self.holdout}


def measure_candidate(
    original: nn.Module,
    candidate: nn.Module,
    references: Sequence[nn.Module],
    rows: EvidenceRows,
    policy: GatePolicy,
    *,
    chunk_size: int,
    device: str = "cpu",
    earlier: Sequence[tuple[AttackName, Pool]] = (),
) -> Measurement:
    """Utility and forgetting of the candidate beside the original, on the same rows.

    Cost: a forward pass of both models over all sets, and of each reference over the forget and
    holdout rows and at most 1,000 retain rows. Memory of the scores.

    Args:
        original: The model before.
        candidate: The model after.
        references: Reference models behind the attacks; may be empty.
        rows: What is measured on.
        policy: How the attack is chosen and limited.
        chunk_size: Rows in memory at a time.
        device: Where the passes run.
        earlier: Attack and pooled rows of earlier batches.

    Raises:
        DataError, DivergenceError: as `read_scores`.
        EvidenceError: as `forgetting_evidence`.
    """

    def scores(model: nn.Module) -> dict[str, Scores]:
        return {
            name: read_scores(model, one, chunk_size=chunk_size, device=device)
            for name, one in rows.sets().items()
        }

    before, after = scores(original), scores(candidate)
    members, places = draw(rows.retain, _MEMBERS)
    retain = before["retain"]
    drawn = {**before, "retain": Scores(retain.values[places], retain.labels[places])}
    known = {
        name: read_signals(drawn[name], references, some, chunk_size=chunk_size, device=device)
        for name, some in {**rows.sets(), "retain": members}.items()
    }
    changed = {
        name: Signals(after[name].margins, after[name].labels, known[name].references)
        for name in ("forget", "holdout")
    }
    forgetting = forgetting_evidence(known, changed, policy, earlier=earlier)
    return Measurement(
        before=before,
        after=after,
        signals_before=known,
        signals_after=changed,
        evidence=_evidence(
            (before, after), forgetting, rows.slices, policy, tolerance_of(original)
        ),
    )


def evaluation_report(scores: Mapping[str, Scores]) -> EvaluationReport:
    """Accuracy and loss on each set, and how well forget rows can be told from holdout rows.

    Args:
        scores: Of one model on the sets "retain", "forget" and "holdout".

    Raises:
        EvidenceError: as `membership_auc`.
    """
    retain, forget, holdout = (scores[name] for name in ("retain", "forget", "holdout"))
    attack = membership_auc(forget.losses, holdout.losses)
    return EvaluationReport(
        retain_accuracy=retain.accuracy,
        forget_accuracy=forget.accuracy,
        holdout_accuracy=holdout.accuracy,
        retain_loss=retain.mean_loss,
        forget_loss=forget.mean_loss,
        holdout_loss=holdout.mean_loss,
        mia_auc=attack.auc,
        mia_standard_error=attack.standard_error,
        retain_count=len(retain.labels),
        forget_count=len(forget.labels),
        holdout_count=len(holdout.labels),
    )


def _evidence(
    scores: tuple[Mapping[str, Scores], Mapping[str, Scores]],
    forgetting: ForgettingEvidence,
    slices: Mapping[str, Slices],
    policy: GatePolicy,
    tolerance: float,
) -> Evidence:
    before, after = scores
    retains = before["retain"], after["retain"]
    holdouts = before["holdout"], after["holdout"]
    classes, min_rows = before["forget"].labels, policy.min_class_rows
    unseen = [matched_accuracy(one, classes, min_rows=min_rows) for one in holdouts]
    worst_slice, small_slices = worst_slice_loss(
        *holdouts, slices.get("holdout", {}), min_rows=policy.min_slice_rows
    )
    return Evidence(
        before=evaluation_report(before),
        after=evaluation_report(after),
        holdout_accuracy_loss=accuracy_loss(*holdouts),
        holdout_error=number_error(*holdouts, tolerance=tolerance) if tolerance else None,
        retain_accuracy_loss=accuracy_loss(*retains),
        # All rows of a model of numbers are of one class.
        class_accuracy_loss=None if tolerance else worst_class_loss(*holdouts, min_rows=min_rows),
        slice_accuracy_loss=worst_slice,
        small_slices=small_slices,
        unseen_accuracy=UnseenAccuracy(before=unseen[0], after=unseen[1]),
        forgetting=forgetting,
        utility=Utility(
            retain=utility_of(*retains, slices=slices.get("retain")),
            holdout=utility_of(*holdouts, slices=slices.get("holdout")),
        ),
    )
