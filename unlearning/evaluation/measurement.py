"""The measurement of a candidate: one pass of both models over three sets, all evidence from it.

The rows must be ones that the update did not read, forget rows apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from unlearning.attacks.attacks import Signals, read_signals
from unlearning.config.gate_policy import GatePolicy
from unlearning.evaluation.accuracy_loss import (
    accuracy_loss,
    matched_accuracy,
    worst_class_loss,
    worst_slice_loss,
)
from unlearning.evaluation.evaluation import report_of
from unlearning.evaluation.forgetting import forgetting_evidence
from unlearning.evaluation.utility import utility_of
from unlearning.evidence.evidence import AttackName, Evidence, Pool, UnseenAccuracy
from unlearning.evidence.utility_report import Utility
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
    known: dict[str, Signals] = {}
    members, places = draw(rows.retain, _MEMBERS)
    drawn = {"retain": Scores(before["retain"].values[places], before["retain"].labels[places])}
    for name, some in {**rows.sets(), "retain": members}.items():
        scored = drawn.get(name, before[name])
        known[name] = read_signals(scored, references, some, chunk_size=chunk_size, device=device)
    changed = {
        name: Signals(after[name].margins, after[name].labels, known[name].references)
        for name in ("forget", "holdout")
    }
    holdouts = before["holdout"], after["holdout"]
    classes = before["forget"].labels
    unseen = [matched_accuracy(one, classes, min_rows=policy.min_class_rows) for one in holdouts]
    worst_slice, small_slices = worst_slice_loss(
        *holdouts, rows.slices.get("holdout", {}), min_rows=policy.min_slice_rows
    )
    evidence = Evidence(
        before=report_of(*(before[n].summary() for n in ("retain", "forget", "holdout"))),
        after=report_of(*(after[n].summary() for n in ("retain", "forget", "holdout"))),
        holdout_accuracy_loss=accuracy_loss(*holdouts),
        retain_accuracy_loss=accuracy_loss(before["retain"], after["retain"]),
        class_accuracy_loss=worst_class_loss(*holdouts, min_rows=policy.min_class_rows),
        slice_accuracy_loss=worst_slice,
        small_slices=small_slices,
        unseen_accuracy=UnseenAccuracy(before=unseen[0], after=unseen[1]),
        forgetting=forgetting_evidence(known, changed, policy, earlier=earlier),
        utility=Utility(
            retain=utility_of(before["retain"], after["retain"], slices=rows.slices.get("retain")),
            holdout=utility_of(*holdouts, slices=rows.slices.get("holdout")),
        ),
    )
    return Measurement(
        before=before,
        after=after,
        signals_before=known,
        signals_after=changed,
        evidence=evidence,
    )
