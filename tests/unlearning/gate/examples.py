"""Evidence that passes the gate, and ways to change it."""

from dataclasses import fields, replace

from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import (
    AccuracyLoss,
    AttackResult,
    Evidence,
    ForgettingEvidence,
    Pool,
    Probes,
    UnseenAccuracy,
)
from unlearning.evidence.utility_report import EvaluationReport
from unlearning.gate.gate import decide

BEFORE = EvaluationReport(
    retain_accuracy=0.94,
    forget_accuracy=0.94,
    holdout_accuracy=0.83,
    retain_loss=0.2,
    forget_loss=0.2,
    holdout_loss=0.4,
    mia_auc=0.6,
    mia_standard_error=0.008,
    retain_count=30_000,
    forget_count=1_500,
    holdout_count=16_000,
)
AFTER = replace(BEFORE, forget_accuracy=0.83, forget_loss=0.4, mia_auc=0.5)
POLICY = GatePolicy()
NUMBERS = [item.name for item in fields(EvaluationReport)]
NONE_LOST = AccuracyLoss(rows=16_000, value=0.0, certain=0.0, possible=0)
JUDGED = AttackResult(
    attack="lira", member_auc=0.66, before=0.65, before_error=0.01, after=0.5, after_error=0.01
)
OWN = Pool(count=1_500, before=975.0, after=750.0, variance=1e-5)
FORGETTING = ForgettingEvidence(
    judged=JUDGED,
    others=(),
    count=1_500,
    lower=0.45,
    upper=0.55,
    power=0.99,
    half_power=0.9,
    row_percentiles=(),
    own=OWN,
    pooled=OWN,
    pooled_lower=0.45,
    pooled_upper=0.55,
    pooled_power=0.99,
)
EVIDENCE = Evidence(
    before=BEFORE,
    after=AFTER,
    holdout_accuracy_loss=NONE_LOST,
    retain_accuracy_loss=NONE_LOST,
    class_accuracy_loss=NONE_LOST,
    forgetting=FORGETTING,
    unseen_accuracy=UnseenAccuracy(before=BEFORE.holdout_accuracy, after=AFTER.holdout_accuracy),
)


def changed(evidence=EVIDENCE, /, *, after=(), judged=(), forgetting=(), **losses):
    """The evidence with other numbers in it; losses by their certain value, or as they are."""
    found = replace(
        evidence.forgetting,
        judged=replace(evidence.forgetting.judged, **dict(judged)),
        **dict(forgetting),
    )
    lost = {
        name: one
        if isinstance(one, AccuracyLoss)
        else AccuracyLoss(rows=100, value=one, certain=one, possible=one)
        for name, one in losses.items()
    }
    return replace(evidence, after=replace(evidence.after, **dict(after)), forgetting=found, **lost)


def failed(evidence, policy=POLICY, **options):
    return decide(evidence, policy, **options).failed_names


LOSSES = tuple(f"{rows}_accuracy_loss" for rows in ("holdout", "retain", "class", "slice"))


def hiding(possible, certain=-1.0):
    """A loss behind which so much may hide."""
    return AccuracyLoss(rows=9, value=0.0, certain=certain, possible=possible)


def controlled(**probes):
    return replace(EVIDENCE, probes=Probes(**probes))


SMALL = changed(
    judged={"before": 0.8, "after": 0.52},
    forgetting={
        "count": 5,
        "power": 0.3,
        "lower": 0.2,
        "upper": 0.8,
        "own": Pool(count=5, before=4.0, after=2.6, variance=1e-5),
        "pooled": Pool(count=50, before=40.0, after=26.0, variance=1e-5),
        "pooled_lower": 0.4,
        "pooled_upper": 0.6,
        "pooled_power": 0.95,
    },
)
