"""Evidence on a candidate: what it still knows, what it still can, and the gate's decision."""

from dataclasses import asdict
from typing import Any

from tasks import batches, journal
from tasks.attempts import Attempt, entry, halves, inputs
from tasks.candidates import load_candidate
from tasks.device import pick_device
from tasks.enrollment import read_enrollment
from tasks.object_store import ObjectStore
from unlearning.evaluation import EvaluationReport, evaluate
from unlearning.gate import Check, GateDecision, decide


def evaluate_candidate(store: ObjectStore, attempt: Attempt) -> dict[str, EvaluationReport]:
    """Utility and forgetting of parent and candidate on rows that the update did not see, once."""
    done = journal.find(store, batches.stream(attempt.batch), f"{attempt.key}/evaluated")
    if done is None:
        facts = {"model": attempt.model, **_reports(store, attempt)}
        record = entry(attempt, "evaluated", "CandidateEvaluated", facts)
        done = journal.append(store, record)
    return {when: EvaluationReport(**done.facts[when]) for when in ("before", "after")}


def _reports(store: ObjectStore, attempt: Attempt) -> dict[str, Any]:
    enrollment, parent, forget = inputs(store, attempt)
    candidate = load_candidate(store, attempt, parent)
    _, retain = halves(store, attempt, enrollment, "retain")
    _, holdout = halves(store, attempt, enrollment, "holdout")
    return {
        when: asdict(
            evaluate(
                module,
                retain=retain,
                forget=forget,
                holdout=holdout,
                chunk_size=enrollment.unlearning.chunk_size,
                device=pick_device(),
            )
        )
        for when, module in (("before", parent), ("after", candidate))
    }


def judge_candidate(store: ObjectStore, attempt: Attempt) -> GateDecision:
    """The gate's decision on the candidate, recorded once with every check."""
    policy = read_enrollment(store, attempt.model).policy
    reports = evaluate_candidate(store, attempt)
    decision = decide(reports["before"], reports["after"], policy)
    event = "CandidateAccepted" if decision.passed else "CandidateRejected"
    facts = {"model": attempt.model, "checks": [asdict(c) for c in decision.checks]}
    judged = journal.append(store, entry(attempt, "judged", event, facts))
    checks = tuple(Check(**c) for c in judged.facts["checks"])
    return GateDecision(all(c.passed for c in checks), checks)
