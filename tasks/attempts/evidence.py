"""Evidence on a candidate: what it still knows, what it still can, and the gate's decision."""

import logging
from dataclasses import replace
from typing import cast

from tasks.attempts.curves import keep_curves
from tasks.attempts.inputs import inputs, split_sample
from tasks.attempts.probes import CandidateUnderTest, probe
from tasks.attempts.recorded_weights import load_candidate
from tasks.enrolling.reference_models import read_reference_models
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import (
    CandidateAccepted,
    CandidateEvaluated,
    CandidateRejected,
    Judged,
)
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import CandidateMeasured
from tasks.journal.reading import read_batch, read_enrollment, read_model
from tasks.registry.services import Services
from unlearning.evaluation.measurement import EvidenceRows, Measurement, measure_candidate
from unlearning.evidence.evidence import AttackName, Evidence, Pool, Probes
from unlearning.gate.gate import GateDecision, decide, no_candidate
from unlearning.policy.budget import is_exact

log = logging.getLogger("expunge.evidence")


def evaluate_candidate(services: Services, attempt: Attempt) -> Evidence:
    """Utility and forgetting of parent and candidate on rows that the update did not see, once."""
    done = read_batch(services.journal, attempt.batch).attempts[attempt.key].evaluated
    if done is None:
        measured = _measure(services, attempt)
        rows = read_enrollment(services.journal, attempt.model).policy.min_class_rows
        found = CandidateEvaluated(
            model=attempt.model,
            attempt=attempt.key,
            evidence=measured.evidence,
            curves=keep_curves(services.store, attempt, measured, min_class_rows=rows),
        )
        stream = batch_stream(attempt.batch)
        event = services.journal.append(stream, attempt.ids.evaluated, found)
        done = cast("CandidateEvaluated", event.facts)
    _remember(services, attempt, done.evidence)
    return done.evidence


def judge_candidate(services: Services, attempt: Attempt, failure: str = "") -> GateDecision:
    """The gate's decision on the candidate, recorded once with every check.

    Where a failure says why there is none, nothing is recorded.
    """
    if failure:
        return no_candidate(failure)
    policy = read_enrollment(services.journal, attempt.model).policy
    evidence = evaluate_candidate(services, attempt)
    decision = decide(evidence, policy, exact=is_exact(attempt.method))
    kind = CandidateAccepted if decision.passed else CandidateRejected
    facts = kind(model=attempt.model, attempt=attempt.key, decision=decision)
    judged = services.journal.append(batch_stream(attempt.batch), attempt.ids.judged, facts)
    return cast("Judged", judged.facts).decision


def _measure(services: Services, attempt: Attempt) -> Measurement:
    """What is asked of parent and candidate alike, and the further questions to the candidate."""
    asked = _under_test(services, attempt)
    enrollment, earlier = asked.enrollment, _earlier(services, attempt)

    def measure(chunk_size: int, device: str) -> Measurement:
        return measure_candidate(
            asked.parent,
            asked.candidate,
            asked.references.models,
            asked.judged,
            enrollment.policy,
            chunk_size=chunk_size,
            device=device,
            earlier=earlier,
        )

    size, device = asked.chunk_size, asked.device
    measured = fitting(measure, chunk_size=size, device=device)

    def ask(chunk_size: int, device: str) -> Probes:
        smaller = replace(asked, chunk_size=chunk_size, device=device)
        return probe(services, smaller, measured)

    probes = fitting(ask, chunk_size=size, device=device)
    return replace(measured, evidence=replace(measured.evidence, probes=probes))


def _under_test(services: Services, attempt: Attempt) -> CandidateUnderTest:
    enrollment, parent, forget = inputs(services, attempt)
    read_retain, retain = split_sample(services, attempt, enrollment, "retain")
    read_holdout, holdout = split_sample(services, attempt, enrollment, "holdout")
    return CandidateUnderTest(
        attempt=attempt,
        enrollment=enrollment,
        parent=parent,
        candidate=load_candidate(services, attempt, parent),
        references=read_reference_models(services, enrollment, parent),
        read={"retain": read_retain.rows, "holdout": read_holdout.rows},
        judged=EvidenceRows(
            retain=retain.rows,
            forget=forget,
            holdout=holdout.rows,
            slices={"retain": retain.slices, "holdout": holdout.slices},
        ),
        unseen=holdout.rows,
        chunk_size=enrollment.unlearning.chunk_size,
        device=pick_device(services.settings),
    )


def _remember(services: Services, attempt: Attempt, evidence: Evidence) -> None:
    """Note cost, change and part of the pool in the model's own stream, for later batches."""
    history = read_batch(services.journal, attempt.batch).attempts[attempt.key]
    facts = CandidateMeasured(
        attempt=attempt.key,
        batch=attempt.batch,
        method=attempt.method,
        rung=attempt.rung,
        config=attempt.config_digest,
        forget_count=attempt.forget_count,
        row_count=attempt.row_count,
        seconds=history.seconds,
        holdout_change=evidence.after.holdout_accuracy - evidence.before.holdout_accuracy,
        attack=evidence.forgetting.judged.attack,
        own=evidence.forgetting.own,
    )
    services.journal.append(model_stream(attempt.model), attempt.ids.measured, facts)


def _earlier(services: Services, attempt: Attempt) -> list[tuple[AttackName, Pool]]:
    """What the same update did to these weights and those before them, in batches that are done.

    The latest measurement of each batch counts: an earlier one was of the same rows. A retrain has
    none: what it never saw needs no pool.
    """
    if is_exact(attempt.method):
        return []
    history = read_model(services.journal, attempt.model)
    wanted = (attempt.method, attempt.rung, history.config_digest)
    others = history.finished - {attempt.batch}
    latest: dict[str, tuple[AttackName, Pool]] = {
        one.batch: (one.attack, one.own)
        for one in history.measured_of_origin
        if one.batch in others and (one.method, one.rung, one.config) == wanted
    }
    return list(latest.values())
