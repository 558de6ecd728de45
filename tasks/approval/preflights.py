"""What a person is shown before a large batch: rows, models, seconds, utility and power."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from tasks.attempts.ladder import known_obstacle
from tasks.enrolling.recipes.kept import recipe_digest
from tasks.enrolling.timed_trainings import retrain_forecast
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.batches import ApprovalRequested
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.preflight import Preflight
from tasks.journal.histories.model import ModelHistory
from tasks.journal.reading import read_batch, read_enrollment, read_model
from tasks.registry.services import Services
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
from unlearning.policy.deadlines import due_on
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.last_resort import what_follows


def ask(services: Services, batch: str, plans: Sequence[Attempt], *, number: int) -> Preflight:
    """Put the question on record for the `number`th time; returns it as recorded."""
    due = _due_on(services, batch)
    models = [_with_end(services, plan, due) for plan in plans]
    preflight = Preflight(
        batch=batch,
        number=number,
        digest=facts_digest({m.model: m.plan for m in models})[:SHORT],
        due_on=due,
        models=tuple(sorted(models, key=lambda m: (not m.is_serving, -m.share, m.model))),
    )
    asked = ApprovalRequested(preflight=preflight)
    services.journal.append(batch_stream(batch), ids.asked(number), asked)
    return read_batch(services.journal, batch).asked or preflight


def why_ask(services: Services, plan: Attempt) -> str:
    """Why this attempt needs a person, in one sentence; empty if it needs none."""
    return _why_ask(read_enrollment(services.journal, plan.model), plan)


def _why_ask(enrollment: Enrollment, plan: Attempt) -> str:
    return why_approval(enrollment.approval, plan.model, plan.forget_count, plan.row_count)


def _with_end(services: Services, plan: Attempt, due: str) -> ModelPreflight:
    """With what follows if no rung is enough."""
    policy = read_enrollment(services.journal, plan.model).policy
    return replace(
        preflight_of(services, plan),
        if_not_enough=what_follows(policy, date.fromisoformat(due)) if due else "",
        obstacle=known_obstacle(services, plan),
    )


def preflight_of(services: Services, plan: Attempt) -> ModelPreflight:
    """What is known and expected of one planned attempt; records nothing."""
    history = read_model(services.journal, plan.model)
    enrollment = read_enrollment(services.journal, plan.model)
    earlier = _experience(history, plan.method)
    share = share_of(plan.forget_count, plan.row_count)
    seconds = expected_seconds(earlier, plan.method, plan.forget_count, plan.row_count)
    found = retrain_forecast(services, enrollment, plan.forget_count)
    retrain = None if found is None else found.expected
    return ModelPreflight(
        model=plan.model,
        plan=plan.plan_digest,
        parent_version=plan.parent_version,
        is_serving=services.registry.alias_version(plan.model) == plan.parent_version,
        method=plan.method,
        forget_count=plan.forget_count,
        row_count=plan.row_count,
        reason=_why_ask(enrollment, plan),
        seconds=retrain if seconds is None and is_exact(plan.method) else seconds,
        retrain_seconds=retrain,
        holdout_change=expected_change(earlier, plan.method, share),
        power=_power(history, enrollment, plan),
        recipe=recipe_digest(enrollment.recipe)[:SHORT],
    )


def _power(history: ModelHistory, enrollment: Enrollment, plan: Attempt) -> float | None:
    """What the attack can be expected to see; None before reference models were made."""
    if history.power is None:
        return None
    return expected_power(history.power, plan.forget_count, enrollment.policy)


def _experience(history: ModelHistory, method: str) -> list[Experience]:
    """What candidates of the model that were made in this way cost and changed, in any batch."""
    return [
        Experience(
            forget_count=one.forget_count,
            row_count=one.row_count,
            seconds=one.seconds,
            holdout_change=one.holdout_change,
        )
        for one in history.measured
        if one.method == method
    ]


def _due_on(services: Services, batch: str) -> str:
    wanted = batches.accepted(services, batch)
    return min((due_on(d.received_at).isoformat() for d in wanted), default="")
