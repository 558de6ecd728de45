"""Evidence that tests read, render and judge: of a model that forgot, and others by change."""

from dataclasses import replace

from unlearning.evidence.evidence import (
    AccuracyLoss,
    AttackResult,
    Canaries,
    Estimate,
    Evidence,
    ForgettingEvidence,
    NumberError,
    Pool,
    Probes,
    UnseenAccuracy,
)
from unlearning.evidence.utility_report import EvaluationReport

REPORT = EvaluationReport(
    retain_accuracy=0.99,
    forget_accuracy=0.98,
    holdout_accuracy=0.81,
    retain_loss=0.02,
    forget_loss=0.03,
    holdout_loss=0.9,
    mia_auc=0.57,
    mia_standard_error=0.02,
    retain_count=1_000,
    forget_count=300,
    holdout_count=2_000,
)
POOL = Pool(count=300, before=195.0, after=159.0, variance=1e-4)
FORGETTING = ForgettingEvidence(
    judged=AttackResult(
        attack="rmia", member_auc=0.66, before=0.65, before_error=0.02, after=0.53, after_error=0.02
    ),
    others=(
        AttackResult(
            attack="loss",
            member_auc=0.6,
            before=0.57,
            before_error=0.02,
            after=0.51,
            after_error=0.02,
        ),
    ),
    count=300,
    lower=0.45,
    upper=0.55,
    power=0.97,
    half_power=0.7,
    row_percentiles=(),
    own=POOL,
    pooled=POOL,
    pooled_lower=0.45,
    pooled_upper=0.55,
    pooled_power=0.97,
)
FORGOTTEN = Evidence(
    before=REPORT,
    after=replace(REPORT, forget_accuracy=0.83, retain_accuracy=0.98),
    holdout_accuracy_loss=AccuracyLoss(rows=2_000, value=0.001, certain=-0.01, possible=0.012),
    retain_accuracy_loss=AccuracyLoss(rows=1_000, value=0.01, certain=0.007, possible=0.013),
    class_accuracy_loss=AccuracyLoss(rows=400, value=0.02, certain=-0.01, possible=0.05),
    forgetting=FORGETTING,
    unseen_accuracy=UnseenAccuracy(before=0.81, after=0.81),
    probes=Probes(
        threshold_advantage=Estimate(value=-0.01, error=0.04),
        shadow_auc=Estimate(value=0.52, error=0.02),
        relearning_speed=1.8,
        canaries=Canaries(count=256, planted=0.61, erased=0.5, limit=0.54),
        distance_to_retrained=0.12,
    ),
)
"""The attacker is right 65 times in 100 before and 53 times after; 55 are accepted."""

NUMBER_ERROR = NumberError(
    rows=2_000,
    tolerance=0.5,
    before=0.61,
    after=0.62,
    before_root=0.8,
    after_root=0.81,
    certain_rise=-0.01,
)
"""Of a model of numbers whose error did not rise."""


def attacked(after: float) -> Evidence:
    """The same, but for how often the attacker is right about the candidate."""
    judged = replace(FORGETTING.judged, after=after)
    return replace(FORGOTTEN, forgetting=replace(FORGETTING, judged=judged))


def few(count: int) -> Evidence:
    """Of so few rows that nothing can be decided."""
    judged = replace(FORGETTING.judged, after=0.5)
    pool = replace(POOL, count=count, before=0.65 * count, after=0.5 * count)
    found = replace(
        FORGETTING,
        judged=judged,
        count=count,
        upper=0.9,
        lower=0.1,
        power=0.08,
        row_percentiles=tuple((i + 0.5) / count for i in range(count)),
        own=pool,
        pooled=pool,
        pooled_power=0.08,
    )
    sizes = {"forget_count": count}
    return replace(
        FORGOTTEN,
        forgetting=found,
        before=replace(FORGOTTEN.before, **sizes),
        after=replace(FORGOTTEN.after, **sizes),
    )
