"""The order of an erasure, once, whoever runs its steps: Prefect, a test or a benchmark.

`process_batch` is the way of one batch, `unlearn_model` that of one model in it, `erase_tables`
what follows once every model has forgotten. Prefect runs the same `Steps` as tasks (`tasks.steps`).
"""

from collections.abc import Callable, Sequence
from functools import partial

from tasks.approval import approvals
from tasks.attempts import (
    already_forgotten,
    being_erased,
    candidates,
    evidence,
    failures,
    ladder,
    last_resort,
    planning,
    promotion,
    unhindered,
    withdrawal,
)
from tasks.certificates import certificates
from tasks.enrolling import gradient_ledgers, reference_models
from tasks.erasure import examples, files, guards, objects, rows, snapshots
from tasks.intake import batches, reduction
from tasks.journal.events.attempt import Attempt
from tasks.registry.services import Services
from tasks.report import mlflow_mirror
from tasks.subjects import late_holds, late_returns, near_matches, resolution, suppression_list
from tasks.subjects.enrolled_ids import EnrolledIds
from tasks.versions import retirement
from unlearning.gate.gate import GateDecision
from unlearning.policy.ladder import ModelOutcome, NextRung

Unlearn = Callable[[str, str], ModelOutcome]
"""Unlearns a batch from a model, both by name, be it in another way than as a plain call."""


class Steps:
    """The steps of an erasure over these services; each makes its effects once, however often."""

    def __init__(self, services: Services) -> None:
        self.services = services

    def validate_batch(self, batch: str) -> dict[str, int]:
        """Judge every record, then take out who is held, unclear or back; counts by outcome."""
        counts = batches.validate(self.services, batch, EnrolledIds(self.services))
        late_holds.withhold(self.services, batch)
        near_matches.set_aside(self.services, batch)
        late_returns.set_aside(self.services, batch)
        suppression_list.lift_withheld(self.services, batch)
        return counts

    def resolve_rows(self, batch: str) -> dict[str, int]:
        """Find rows, let the unhindered go ahead, and stop at rows that cannot be erased."""
        counts = resolution.resolve(self.services, batch)
        being_erased.wait_for_others(self.services, batch)
        unhindered.send_unhindered(self.services, batch)
        rows.refuse_unready_tables(self.services, batch)
        return counts

    def plan_unlearning(self, batch: str, model: str) -> Attempt | None:
        """What to unlearn from this model; None if it never saw the subjects."""
        return planning.plan(self.services, batch, model)

    def seek_approval(self, batch: str, plans: list[Attempt]) -> bool:
        """Whether the planned attempts may be made; if not, people have been asked."""
        return approvals.seek_approval(self.services, batch, plans)

    def make_candidate(self, attempt: Attempt) -> str:
        """Unlearn; returns why that is impossible, or nothing."""
        climb, make = partial(ladder.may_retrain, self.services, attempt), candidates.make_candidate
        return failures.failure_of(self.services, attempt, make, may_climb=climb)

    def evaluate_candidate(self, attempt: Attempt) -> str:
        """Measure parent and candidate; returns why that is impossible, or nothing."""
        return failures.failure_of(self.services, attempt, evidence.evaluate_candidate)

    def judge_candidate(self, attempt: Attempt, failure: str) -> GateDecision:
        """The gate's decision; a failure says why there is no candidate to judge."""
        return evidence.judge_candidate(self.services, attempt, failure)

    def register_version(self, attempt: Attempt) -> int:
        """The candidate as a new model version with its lineage."""
        return promotion.register(self.services, attempt)

    def promote_version(self, attempt: Attempt, version: int) -> None:
        """The serving alias on the new version."""
        promotion.promote(self.services, attempt, version)

    def retire_versions(self, model: str) -> list[str]:
        """Versions that remember erased people out of use; what people must look at."""
        return retirement.retire(self.services, model)

    def choose_rung(self, attempt: Attempt, decision: GateDecision) -> NextRung:
        """What follows a candidate that did not pass."""
        return ladder.choose_rung(self.services, attempt, decision)

    def climb(self, attempt: Attempt, chosen: NextRung) -> Attempt:
        """The attempt on the next rung."""
        return planning.climb(self.services, attempt, chosen)

    def withdraw_model(self, attempt: Attempt, chosen: NextRung) -> None:
        """The serving alias taken away, and an alarm."""
        withdrawal.withdraw(self.services, attempt, chosen.reason)

    def block_batch(self, attempt: Attempt, decision: GateDecision, chosen: NextRung) -> None:
        """The batch kept open, with its reason, and people called."""
        mlflow_mirror.block(self.services, attempt, list(decision.failed_names), chosen.reason)
        last_resort.call_people(self.services, attempt)

    def suppress_subjects(self, batch: str) -> int:
        """The batch's subjects on the suppression list, after a last look for rows and models."""
        resolution.resolve(self.services, batch)
        guards.refuse_unforgotten(self.services, batch)
        listed = suppression_list.suppress(self.services, batch)
        return listed + suppression_list.suppress_found_later(self.services, batch)

    def tables_to_erase(self, batch: str) -> list[str]:
        """Tables in which the batch has rows."""
        return rows.tables_of(self.services, batch)

    def erase_rows(self, batch: str, table: str) -> None:
        """The rows gone from input examples, then from the table, if every model was asked."""
        guards.refuse_unforgotten(self.services, batch)
        examples.clear_examples(self.services, batch, table)
        rows.erase_rows(self.services, batch, table)

    def purge_files(self, batch: str, table: str) -> None:
        """Files and object versions that still held the rows removed."""
        files.purge_files(self.services, batch, table)

    def advance_models(self, batch: str, table: str) -> list[str]:
        """Every model of the table pointed to the table's new version."""
        return snapshots.advance_models(self.services, batch, table)

    def drop_ledgers(self, model: str) -> None:
        """The model's ledgers over erased rows deleted; they are computed anew elsewhere."""
        gradient_ledgers.drop_stale_ledgers(self.services, model)

    def drop_references(self, batch: str, table: str) -> list[str]:
        """Reference models that learned from rows of an erased holdout table deleted."""
        return reference_models.drop_references(self.services, batch, table)

    def erase_objects(self, batch: str) -> None:
        """Objects gone that only rows which are gone pointed to."""
        objects.erase_objects(self.services, batch)

    def certify_requests(self, batch: str) -> int:
        """One certificate for every accepted request, from a search that is over."""
        resolution.close_search(self.services, batch)
        return certificates.certify(self.services, batch)

    def mirror_audit(self, batch: str) -> None:
        """The batch's events readable in MLflow."""
        mlflow_mirror.mirror(self.services, batch)

    def close_batch(self, batch: str) -> None:
        """The batch closed, its requests reduced, and what its models forgot noted as gone."""
        mlflow_mirror.close(self.services, batch)
        failures.if_possible("request files", partial(reduction.reduce_closed, self.services))
        failures.if_possible(
            "what was forgotten", partial(already_forgotten.note_settled, self.services)
        )


def process_batch(
    steps: Steps, batch: str, models: Sequence[str], unlearn: Unlearn | None = None
) -> list[str]:
    """Take one batch from validation to certificates; returns what people must look at, if any."""
    unlearn = unlearn or partial(unlearn_model, steps)
    steps.validate_batch(batch)
    steps.resolve_rows(batch)
    plans = [plan for model in models if (plan := steps.plan_unlearning(batch, model))]
    if not steps.seek_approval(batch, plans):
        steps.mirror_audit(batch)
        return []
    outcomes = [unlearn(batch, model) for model in models]
    if any(one.status == "blocked" for one in outcomes):
        steps.mirror_audit(batch)
    else:
        erase_tables(steps, batch)
    return [f"{one.model} {one.status}: {one.reason}" for one in outcomes if one.reason]


def unlearn_model(steps: Steps, batch: str, model: str) -> ModelOutcome:
    """Rung by rung: candidate → evidence → gate; then new version → alias, or what is left."""
    attempt = steps.plan_unlearning(batch, model)
    if attempt is None:
        return ModelOutcome(model, "untouched")
    while True:
        failure = steps.make_candidate(attempt) or steps.evaluate_candidate(attempt)
        decision = steps.judge_candidate(attempt, failure)
        if decision.passed:
            steps.promote_version(attempt, steps.register_version(attempt))
            failures.if_possible(f"old versions of {model}", lambda: steps.retire_versions(model))
            return ModelOutcome(model, "promoted")
        chosen = steps.choose_rung(attempt, decision)
        if chosen.rung == "withdraw":
            steps.withdraw_model(attempt, chosen)
            failures.if_possible(f"old versions of {model}", lambda: steps.retire_versions(model))
            return ModelOutcome(model, "withdrawn", chosen.reason)
        if chosen.rung == "wait":
            steps.block_batch(attempt, decision, chosen)
            return ModelOutcome(model, "blocked", chosen.reason)
        attempt = steps.climb(attempt, chosen)


def erase_tables(steps: Steps, batch: str) -> None:
    """Note who is erased, erase rows, what they point to and ledgers over them, then certify."""
    steps.suppress_subjects(batch)
    for table in steps.tables_to_erase(batch):
        steps.erase_rows(batch, table)
        steps.purge_files(batch, table)
        for model in steps.advance_models(batch, table):
            steps.drop_ledgers(model)  # the next are another flow's affair: flows.refresh_ledgers
        steps.drop_references(batch, table)
    steps.erase_objects(batch)
    steps.certify_requests(batch)
    steps.mirror_audit(batch)
    steps.close_batch(batch)
