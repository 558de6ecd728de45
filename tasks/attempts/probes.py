"""Further questions to a candidate: canaries, relearning, the paper's attack, a retrained model."""

import logging
from dataclasses import dataclass, replace

import torch
from torch import nn

from tasks.attempts.candidates import update_config
from tasks.attempts.recorded_weights import load_candidate
from tasks.enrolling.reference_models import ReferenceModels
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import read_batch
from tasks.registry.services import Services
from unlearning.errors import ChangedWeightsError, EvidenceError, ModelError
from unlearning.evaluation.canaries import LEAST_CANARIES, CanaryTest, canary_control
from unlearning.evaluation.measurement import EvidenceRows, Measurement
from unlearning.evaluation.probes import (
    prediction_distance,
    relearning_speed,
    threshold_advantage,
)
from unlearning.evidence.evidence import Canaries, Estimate, Probes
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.opaque import NO_GRADIENT, is_opaque
from unlearning.model.rows import TensorRows, draw
from unlearning.model.scores import read_scores
from unlearning.policy.budget import is_exact

log = logging.getLogger("expunge.probes")

_CANARIES = 256
_RELEARNED = 64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CandidateUnderTest:
    """The candidate, and all that is needed to ask about it."""

    attempt: Attempt
    enrollment: Enrollment
    parent: nn.Module
    candidate: nn.Module
    references: ReferenceModels
    read: dict[str, TensorRows]
    """Rows that updates may read, by the names "retain" and "holdout"."""
    judged: EvidenceRows
    """Rows that the candidate was measured on."""
    unseen: TensorRows
    """The holdout rows among them, which no update reads."""
    chunk_size: int
    """Rows that are asked about at a time; changes no answer beyond rounding."""
    device: str


def probe(services: Services, asked: CandidateUnderTest, measured: Measurement) -> Probes:
    """The answers; a question that cannot be asked of so few rows is left open."""
    forget, holdout = measured.after["forget"], measured.after["holdout"]
    shadow = asked.references.shadow
    attack = None if shadow is None else shadow.auc(forget, holdout)
    canaries = _canaries(asked, measured)
    unasked = NO_GRADIENT if is_opaque(asked.candidate) else ""
    return Probes(
        threshold_advantage=_threshold(measured),
        shadow_auc=None
        if attack is None
        else Estimate(value=attack.auc, error=attack.standard_error),
        relearning_speed=None if unasked else _relearning(asked, measured),
        no_relearning=unasked,
        canaries=canaries if isinstance(canaries, Canaries) else None,
        no_canaries=canaries if isinstance(canaries, str) else "",
        distance_to_retrained=_distance(services, asked, measured),
    )


def _threshold(measured: Measurement) -> Estimate | None:
    try:
        return threshold_advantage(
            measured.after["forget"].losses, measured.after["holdout"].losses
        )
    except EvidenceError:
        return None


def _relearning(asked: CandidateUnderTest, measured: Measurement) -> float:
    some, places = draw(asked.judged.forget, _RELEARNED)
    known = measured.before["forget"].losses[places]
    return relearning_speed(
        asked.candidate,
        some,
        asked.unseen,
        goal=float(known.mean()),
        chunk_size=asked.chunk_size,
        device=asked.device,
    )


def _canaries(asked: CandidateUnderTest, measured: Measurement) -> Canaries | str:
    """Learned and erased by the same update; or why not, which for a retrain needs no words."""
    unseen, policy = asked.unseen, asked.enrollment.policy
    # As many as forget rows: what it costs to erase them goes with the batch.
    wanted = min(max(asked.attempt.forget_count, LEAST_CANARIES), _CANARIES)
    count = min(wanted, unseen.count // 4)
    if is_exact(asked.attempt.method):
        return ""
    if count < wanted:
        return (
            f"Of the {unseen.count} holdout rows that nothing reads a quarter may be canaries, and "
            f"{wanted} are needed; add rows to the holdout table."
        )
    random = torch.Generator().manual_seed(0)
    problem = UnlearningProblem(
        model=asked.parent,
        forget=asked.judged.forget,
        retain=asked.read["retain"],
        holdout=asked.read["holdout"],
        device=asked.device,
    )
    config = update_config(asked.enrollment, asked.attempt)
    try:
        test = CanaryTest(
            unseen=unseen,
            canaries=torch.randperm(unseen.count, generator=random)[:count],
            attack=measured.evidence.forgetting.judged.attack,
            references=measured.signals_after["holdout"].references,
            false_alarm=policy.false_alarm,
            min_class_rows=policy.min_class_rows,
        )
        return canary_control(problem, test, replace(config, chunk_size=asked.chunk_size))
    except ModelError as error:
        log.warning("%s: no canaries. %s", asked.attempt.model, error)
        return f"They could not be learned and erased. {error}"


def _distance(services: Services, asked: CandidateUnderTest, measured: Measurement) -> float | None:
    """Between a retrained candidate and the update before it, on the holdout rows."""
    if not is_exact(asked.attempt.method):
        return None
    updates = _updates(read_batch(services.journal, asked.attempt.batch), asked.attempt)
    if not updates:
        return None
    latest = max(updates, key=lambda one: one.made_at)
    try:
        update = load_candidate(services, latest.attempt, asked.parent)
    except ChangedWeightsError as error:  # no fault of the retrained candidate
        log.warning("%s: no distance to the update. %s", asked.attempt.model, error)
        return None
    size, device = asked.chunk_size, asked.device
    scores = read_scores(update, asked.unseen, chunk_size=size, device=device)
    return prediction_distance(scores.probabilities, measured.after["holdout"].probabilities)


def _updates(batch: BatchHistory, retrain: Attempt) -> list[AttemptHistory]:
    """Attempts whose update made a candidate of the same parent forget the same rows."""
    return [
        one
        for one in batch.attempts.values()
        if one.made and one.attempt.forgets_as(retrain) and not is_exact(one.attempt.method)
    ]
