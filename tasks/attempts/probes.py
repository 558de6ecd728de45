"""Further questions to a candidate: canaries, relearning, the paper's attack, a retrained model."""

import logging
from dataclasses import dataclass, replace

import torch
from torch import nn

from tasks.attempts.candidates import read_candidate, update_config
from tasks.enrolling.reference_models import References
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.enrollment import Enrollment
from tasks.registry.services import Services
from unlearning.errors import EvidenceError, ModelError
from unlearning.evaluation.measurement import Measurement
from unlearning.evaluation.probes import (
    CanaryTest,
    canary_control,
    prediction_distance,
    relearning_speed,
    threshold_advantage,
)
from unlearning.evidence.evidence import Canaries, Estimate, Probes
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import Rows, TensorRows, draw
from unlearning.model.scores import read_scores
from unlearning.policy.budget import is_exact

log = logging.getLogger("expunge.probing")

_CANARIES, _LEAST_CANARIES = 256, 128
_RELEARNED = 64


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Subject:
    """The candidate in question and everything that is asked about it."""

    attempt: Attempt
    enrollment: Enrollment
    parent: nn.Module
    candidate: nn.Module
    references: References
    forget: Rows
    read: dict[str, TensorRows]
    """Rows that updates may read, by the names "retain" and "holdout"."""
    unseen: TensorRows
    """Holdout rows that no update reads: those that the candidate was measured on."""
    chunk_size: int
    """Rows that are asked about at a time; changes no answer beyond rounding."""
    device: str


def probe(services: Services, subject: Subject, measured: Measurement) -> Probes:
    """The answers; a question that cannot be asked of so few rows is left open."""
    forget, holdout = measured.after["forget"], measured.after["holdout"]
    shadow = subject.references.shadow
    attack = None if shadow is None else shadow.auc(forget, holdout)
    canaries = _canaries(subject, measured)
    return Probes(
        threshold_advantage=_threshold(measured),
        shadow_auc=None
        if attack is None
        else Estimate(value=attack.auc, error=attack.standard_error),
        relearning_speed=_relearning(subject, measured),
        canaries=canaries if isinstance(canaries, Canaries) else None,
        no_canaries=canaries if isinstance(canaries, str) else "",
        distance_to_retrained=_distance(services, subject, measured),
    )


def _threshold(measured: Measurement) -> Estimate | None:
    try:
        return threshold_advantage(
            measured.after["forget"].losses, measured.after["holdout"].losses
        )
    except EvidenceError:
        return None


def _relearning(subject: Subject, measured: Measurement) -> float:
    some, places = draw(subject.forget, _RELEARNED)
    known = measured.before["forget"].losses[places]
    return relearning_speed(
        subject.candidate,
        some,
        subject.unseen,
        goal=float(known.mean()),
        chunk_size=subject.chunk_size,
        device=subject.device,
    )


def _canaries(subject: Subject, measured: Measurement) -> Canaries | str:
    """Learned and erased by the same update; or why not, which for a retrain needs no words."""
    unseen, policy = subject.unseen, subject.enrollment.policy
    # As many as forget rows: what it costs to erase them goes with the batch.
    wanted = min(max(subject.attempt.forget_count, _LEAST_CANARIES), _CANARIES)
    count = min(wanted, unseen.count // 4)
    if is_exact(subject.attempt.method):
        return ""
    if count < wanted:
        return (
            f"Of the {unseen.count} holdout rows that nothing reads a quarter may be canaries, and "
            f"{wanted} are needed; add rows to the holdout table."
        )
    random = torch.Generator().manual_seed(0)
    problem = UnlearningProblem(
        model=subject.parent,
        forget=subject.forget,
        retain=subject.read["retain"],
        holdout=subject.read["holdout"],
        device=subject.device,
    )
    config = update_config(subject.enrollment, subject.attempt)
    try:
        test = CanaryTest(
            unseen=unseen,
            canaries=torch.randperm(unseen.count, generator=random)[:count],
            attack=measured.evidence.forgetting.judged.attack,
            references=measured.signals_after["holdout"].references,
            false_alarm=policy.false_alarm,
            min_class_rows=policy.min_class_rows,
        )
        return canary_control(problem, test, replace(config, chunk_size=subject.chunk_size))
    except ModelError as error:
        log.warning("%s: no canaries. %s", subject.attempt.model, error)
        return f"They could not be learned and erased. {error}"


def _distance(services: Services, subject: Subject, measured: Measurement) -> float | None:
    """Between a retrained candidate and the update before it, on the holdout rows."""
    if not is_exact(subject.attempt.method):
        return None
    updates = _updates(
        services.journal.read(batches.stream(subject.attempt.batch)), subject.attempt
    )
    if not updates:
        return None
    update = read_candidate(services, updates[-1], subject.parent)
    size, device = subject.chunk_size, subject.device
    scores = read_scores(update, subject.unseen, chunk_size=size, device=device)
    return prediction_distance(scores.probabilities, measured.after["holdout"].probabilities)


def _updates(events: list[journal.Event], retrain: Attempt) -> list[str]:
    """Keys of the candidates that updates made of the same parent to forget the same rows."""
    same = ("model", "parent_digest", "forget_digest")
    comparable = {
        e.facts["key"]
        for e in events
        if e.name == "UnlearningPlanned"
        and all(e.facts[name] == getattr(retrain, name) for name in same)
        and not is_exact(e.facts["method"])
    }
    made = (e.facts["attempt"] for e in events if e.name == "CandidateMade")
    return [key for key in made if key in comparable]
