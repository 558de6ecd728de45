"""Evidence on a candidate: what it still knows, what it still can, and the gate's decision."""

import logging
from dataclasses import asdict, replace

from pydantic import TypeAdapter

from tasks.attempts.attempt import config_digest, entry
from tasks.attempts.candidates import load_candidate
from tasks.attempts.curves import keep_curves
from tasks.attempts.inputs import halves, inputs
from tasks.attempts.probes import Subject, probe
from tasks.enrolling.reference_models import read_references
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.catalog import model_stream
from tasks.journal.reading import read_enrollment
from tasks.registry.services import Services
from unlearning.evaluation.measurement import EvidenceRows, Measurement, measure_candidate
from unlearning.evidence.evidence import AttackName, Evidence, Pool, Probes
from unlearning.gate.gate import GateDecision, decide
from unlearning.policy.budget import is_exact

_EVIDENCE = TypeAdapter(Evidence)
_DECISION = TypeAdapter(GateDecision)

log = logging.getLogger("expunge.evidence")


def evaluate_candidate(services: Services, attempt: Attempt) -> Evidence:
    """Utility and forgetting of parent and candidate on rows that the update did not see, once."""
    done = services.journal.find(batches.stream(attempt.batch), f"{attempt.key}/evaluated")
    if done is None:
        measured = _measure(services, attempt)
        rows = read_enrollment(services.journal, attempt.model).policy.min_class_rows
        kept = keep_curves(services.store, attempt.key, measured, min_class_rows=rows)
        facts = {"model": attempt.model, **asdict(measured.evidence), "curves": kept}
        done = services.journal.append(entry(attempt, "evaluated", "CandidateEvaluated", facts))
    evidence = _EVIDENCE.validate_python(done.facts)
    _remember(services, attempt, evidence)
    return evidence


def judge_candidate(services: Services, attempt: Attempt) -> GateDecision:
    """The gate's decision on the candidate, recorded once with every check."""
    policy = read_enrollment(services.journal, attempt.model).policy
    evidence = evaluate_candidate(services, attempt)
    decision = decide(evidence, policy, exact=is_exact(attempt.method))
    event = "CandidateAccepted" if decision.passed else "CandidateRejected"
    facts = {"model": attempt.model, **asdict(decision)}
    judged = services.journal.append(entry(attempt, "judged", event, facts))
    return _DECISION.validate_python(judged.facts)


def _measure(services: Services, attempt: Attempt) -> Measurement:
    enrollment, parent, forget = inputs(services, attempt)
    read_retain, retain = halves(services, attempt, enrollment, "retain")
    read_holdout, holdout = halves(services, attempt, enrollment, "holdout")
    candidate = load_candidate(services, attempt, parent)
    references = read_references(services, enrollment, parent)
    rows = EvidenceRows(
        retain=retain.rows,
        forget=forget,
        holdout=holdout.rows,
        slices={"retain": retain.slices, "holdout": holdout.slices},
    )
    earlier = _earlier(services, attempt)

    def measure(chunk_size: int, device: str) -> Measurement:
        return measure_candidate(
            parent,
            candidate,
            references.models,
            rows,
            enrollment.policy,
            chunk_size=chunk_size,
            device=device,
            earlier=earlier,
        )

    size = enrollment.unlearning.chunk_size
    measured = fitting(measure, chunk_size=size, device=pick_device(services.settings))

    def ask(chunk_size: int, device: str) -> Probes:
        subject = Subject(
            attempt=attempt,
            enrollment=enrollment,
            parent=parent,
            candidate=candidate,
            references=references,
            forget=forget,
            read={"retain": read_retain.rows, "holdout": read_holdout.rows},
            unseen=holdout.rows,
            chunk_size=chunk_size,
            device=device,
        )
        return probe(services, subject, measured)

    probes = fitting(ask, chunk_size=size, device=pick_device(services.settings))
    return replace(measured, evidence=replace(measured.evidence, probes=probes))


def _remember(services: Services, attempt: Attempt, evidence: Evidence) -> None:
    """Note the batch's part of the pool in the model's own stream, for later batches."""
    if is_exact(attempt.method):
        return
    facts = {
        "batch": attempt.batch,
        "method": attempt.method,
        "rung": attempt.rung,
        "config": attempt.config_digest,
        "attack": evidence.forgetting.judged.attack,
        "own": asdict(evidence.forgetting.own),
    }
    name = model_stream(attempt.model)
    services.journal.append(
        journal.Entry(name, f"{attempt.key}/measured", "ForgettingMeasured", facts)
    )


def _earlier(services: Services, attempt: Attempt) -> list[tuple[AttackName, Pool]]:
    """What the same update did to these weights and those before them, in batches that are done.

    The latest measurement of each batch counts: an earlier one was of the same rows.
    """
    events = _lineage(services.journal.read(model_stream(attempt.model)))
    finished = {e.facts["batch"] for e in events if e.name == "ChampionPromoted"}
    wanted = (attempt.method, attempt.rung, config_digest(services, attempt.model))
    latest = {
        e.facts["batch"]: (e.facts["attack"], Pool(**e.facts["own"]))
        for e in events
        if e.name == "ForgettingMeasured"
        and e.facts["batch"] in finished - {attempt.batch}
        and (e.facts["method"], e.facts["rung"], e.facts["config"]) == wanted
    }
    return list(latest.values())


def _lineage(events: list[journal.Event]) -> list[journal.Event]:
    """The events since other weights were enrolled, of which nothing is known yet."""
    begin, digest = 0, ""
    for number, event in enumerate(events):
        if event.name in ("ModelEnrolled", "ChampionPromoted"):
            if event.name == "ModelEnrolled" and event.facts["digest"] != digest:
                begin = number
            digest = event.facts["digest"]
    return events[begin:]
