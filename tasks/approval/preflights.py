"""What a person is shown before a large batch: rows, models, seconds, utility and power."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from tasks.approval.questions import Preflight, latest_preflight
from tasks.attempts.attempt import Attempt, plan_digest
from tasks.enrolling.reference_models import read_recall
from tasks.intake import batches
from tasks.models.enrollment import read_enrollment
from tasks.models.timed_trainings import retrain_forecast
from tasks.registry import mlflow_registry
from tasks.store import journal
from tasks.store.objects import ObjectStore
from unlearning.attacks.power import expected_power
from unlearning.policy.approval import (
    Experience,
    ModelPreflight,
    expected_change,
    expected_seconds,
    share_of,
    why_approval,
)
from unlearning.policy.budget import is_exact
from unlearning.policy.deadlines import due_date
from unlearning.policy.digests import SHORT, facts_digest


def ask(store: ObjectStore, batch: str, plans: Sequence[Attempt], *, number: int) -> Preflight:
    """Put the question on record for the `number`th time; returns it as recorded."""
    models = [_model(store, plan) for plan in plans]
    preflight = Preflight(
        batch=batch,
        number=number,
        digest=facts_digest({m.model: m.plan for m in models})[:SHORT],
        due_on=_due_on(store, batch),
        models=tuple(sorted(models, key=lambda m: (not m.is_serving, -m.share, m.model))),
    )
    key = f"approval/{number}/requested"
    entry = journal.Entry(batches.stream(batch), key, "ApprovalRequested", asdict(preflight))
    return latest_preflight([journal.append(store, entry)]) or preflight


def why_ask(store: ObjectStore, plan: Attempt) -> str:
    """Why this attempt needs a person, in one sentence; empty if it needs none."""
    policy = read_enrollment(store, plan.model).approval
    return why_approval(policy, plan.model, plan.forget_count, plan.row_count)


def _model(store: ObjectStore, plan: Attempt) -> ModelPreflight:
    earlier = _experience(store, plan.model, plan.method)
    share = share_of(plan.forget_count, plan.row_count)
    seconds = expected_seconds(earlier, plan.method, plan.forget_count, plan.row_count)
    found = retrain_forecast(store, read_enrollment(store, plan.model), plan.forget_count)
    retrain = None if found is None else found.expected
    return ModelPreflight(
        model=plan.model,
        plan=plan_digest(plan),
        parent_version=plan.parent_version,
        is_serving=mlflow_registry.alias_version(plan.model) == plan.parent_version,
        method=plan.method,
        forget_count=plan.forget_count,
        row_count=plan.row_count,
        reason=why_ask(store, plan),
        seconds=retrain if seconds is None and is_exact(plan.method) else seconds,
        retrain_seconds=retrain,
        holdout_change=expected_change(earlier, plan.method, share),
        power=_power(store, plan),
    )


def _power(store: ObjectStore, plan: Attempt) -> float | None:
    """What the gate's attack can be expected to see; None before references were made."""
    recall = read_recall(store, plan.model)
    if recall is None:
        return None
    return expected_power(recall, plan.forget_count, read_enrollment(store, plan.model).policy)


def _experience(store: ObjectStore, model: str, method: str) -> list[Experience]:
    """What candidates of the model that were made in this way cost and changed, in any batch."""
    found: list[Experience] = []
    for batch, _ in journal.heads(store, "batches"):
        by_id = {e.id: e for e in journal.read(store, batches.stream(batch))}
        plans = [e.facts for e in by_id.values() if e.name == "UnlearningPlanned"]
        mine = [p for p in plans if (p["model"], p["method"]) == (model, method)]
        found += [_made(plan, by_id) for plan in mine if f"{plan['key']}/unlearned" in by_id]
    return found


def _made(plan: dict[str, Any], by_id: Mapping[str, journal.Event]) -> Experience:
    began, ended = (
        datetime.fromisoformat(by_id[f"{plan['key']}/unlearned{step}"].at)
        for step in ("/intent", "")
    )
    evaluated = by_id.get(f"{plan['key']}/evaluated")
    return Experience(
        forget_count=plan["forget_count"],
        row_count=plan["row_count"],
        seconds=(ended - began).total_seconds(),
        holdout_change=evaluated and _holdout_change(evaluated.facts),
    )


def _holdout_change(facts: dict[str, Any]) -> float:
    return facts["after"]["holdout_accuracy"] - facts["before"]["holdout_accuracy"]


def _due_on(store: ObjectStore, batch: str) -> str:
    received = [datetime.fromisoformat(d.received_at) for d in batches.accepted(store, batch)]
    return min((due_date(one.date()).isoformat() for one in received), default="")
