"""The steps of the flows as Prefect tasks: one side effect each, all with one retry policy.

Arguments and results are references and counts: the orchestrator stores them.
"""

import logging
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import (
    approvals,
    audit,
    batches,
    candidates,
    certificates,
    erasable,
    erasure,
    evidence,
    floor,
    intake,
    ladder,
    lease,
    ledgers,
    models,
    planning,
    promotion,
    questions,
    references,
    registry,
    replay,
    resolution,
    retirement,
    suppression,
    training,
    trials,
    withholding,
)
from tasks.attempts import Attempt
from tasks.boundary import is_transient
from tasks.device import pick_device
from tasks.enrollment import enrolled_models
from tasks.object_store import open_store
from tasks.settings import load_settings
from unlearning.errors import DataError
from unlearning.gate import GateDecision, no_candidate
from unlearning.ladder import Step

log = logging.getLogger("expunge.steps")

# A step may run twice, so its effects are made once (tasks/effects.py); nothing is cached.
_STEP: dict[str, Any] = {
    "retries": 3,
    "retry_delay_seconds": [2, 10, 60],
    "retry_condition_fn": is_transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@task(**_STEP)
def check_settings() -> None:
    """Refuse to start unless store and MLflow answer and the device asked for is there."""
    open_store().check()
    registry.check_registry()
    pick_device()


@task(**_STEP)
def served_models() -> list[str]:
    """Every enrolled model in service, each of which must hold its alias.

    Under the lease: a withdrawal that was cut off is finished first.
    """
    store = open_store()
    ladder.settle_withdrawals(store)
    enrolled = list(enrolled_models(store))
    found = [e.model for e in enrolled if not e.is_withdrawn]
    if not enrolled:
        raise DataError("No model is enrolled; run `expunge train` or `expunge enroll` first.")
    for model in found:
        if registry.alias_version(model) is None:
            raise DataError(
                f"No version of {model} holds the alias {load_settings().alias!r}, so nobody knows "
                "which one answers; set it in MLflow on the version in service. Until then all "
                "requests wait."
            )
    return found


@task(**_STEP)
def take_lease() -> bool:
    """Whether this run may work; another one may be at it."""
    holder = lease.take(open_store())
    if holder:
        log.warning("Another run is at work (%s), so this one ends; nothing was done", holder)
    return not holder


@task(**_STEP)
def give_back_lease() -> None:
    """The next run may work."""
    lease.give_back(open_store())


@task(**_STEP)
def open_batches() -> list[str]:
    """Batches to work on: unfinished ones first, then whatever is new."""
    found = intake.open_batches(open_store())
    if not found:
        log.info("Nothing new: every request is answered or on hold")
    return found


@task(**_STEP)
def validate_batch(batch: str) -> dict[str, int]:
    """Judge every record of the batch, then take out those held since; counts by outcome."""
    counts = batches.validate(open_store(), batch)
    withholding.withhold(open_store(), batch)
    suppression.take_off_withheld(open_store(), batch)
    return counts


@task(**_STEP)
def resolve_rows(batch: str) -> dict[str, int]:
    """Find the subjects' rows in every table that is new or changed; counts only."""
    return resolution.resolve(open_store(), batch)


@task(**_STEP)
def plan_unlearning(batch: str, model: str) -> Attempt | None:
    """What to unlearn from this model; None if it never saw the subjects."""
    return planning.plan(open_store(), batch, model)


@task(**_STEP)
def seek_approval(batch: str, plans: list[Attempt]) -> bool:
    """Whether the planned attempts may be made; if not, people have been asked."""
    return approvals.seek_approval(open_store(), batch, plans)


@task(**_STEP)
def waiting_batches() -> list[str]:
    """Batches that wait for approval."""
    found = questions.waiting(open_store())
    return [asked.batch for status, asked in found if status != "rejected"]


@task(**_STEP)
def outdated_batches() -> list[str]:
    """Batches whose plan was overtaken while they waited for approval."""
    return approvals.outdated(open_store())


@task(**_STEP)
def describe_question(batch: str) -> str:
    """What a person who answers for the batch must know."""
    return questions.describe(open_store(), batch)


@task(**_STEP)
def record_answer(batch: str, decision: approvals.Decision, name: str, reason: str) -> None:
    """A person's answer on record, and its requests told."""
    approvals.decide(open_store(), batch, decision, name=name, reason=reason)


@task(**_STEP)
def make_candidate(attempt: Attempt) -> str:
    """Unlearn; returns why that is impossible, or nothing."""
    store = open_store()
    return trials.failure_of(
        store,
        attempt,
        candidates.make_candidate,
        # It holds a mini-batch and no curvature.
        may_climb=lambda: ladder.may_retrain(store, attempt),
    )


@task(**_STEP)
def evaluate_candidate(attempt: Attempt) -> str:
    """Measure parent and candidate; returns why that is impossible, or nothing."""
    return trials.failure_of(open_store(), attempt, evidence.evaluate_candidate)


@task(**_STEP)
def judge_candidate(attempt: Attempt, failure: str) -> GateDecision:
    """The gate's decision."""
    return no_candidate(failure) if failure else evidence.judge_candidate(open_store(), attempt)


@task(**_STEP)
def register_version(attempt: Attempt) -> int:
    """The candidate as a new model version with its lineage."""
    return promotion.register(open_store(), attempt)


@task(**_STEP)
def promote_version(attempt: Attempt, version: int) -> None:
    """The serving alias on the new version."""
    promotion.promote(open_store(), attempt, version)


@task(**_STEP)
def choose_step(attempt: Attempt, decision: GateDecision) -> Step:
    """What follows a candidate that did not pass."""
    return ladder.choose_step(open_store(), attempt, decision)


@task(**_STEP)
def climb(attempt: Attempt, step: Step) -> Attempt:
    """The attempt on the next rung."""
    return planning.climb(open_store(), attempt, step)


@task(**_STEP)
def withdraw_model(attempt: Attempt, step: Step) -> None:
    """The serving alias taken away, and an alarm."""
    ladder.withdraw(open_store(), attempt, step.reason)


@task(**_STEP)
def block_batch(attempt: Attempt, decision: GateDecision, step: Step) -> None:
    """The batch kept open, with its reason."""
    audit.block(open_store(), attempt, list(decision.failed_names), step.reason)


@task(**_STEP)
def enforce_floors() -> list[str]:
    """Aliases that point to versions which remember put back; a sentence for each one dropped."""
    return floor.enforce(open_store())


@task(**_STEP)
def restore_snapshots() -> list[str]:
    """Models pointed to tables that were restored; a sentence for each one that does not fit."""
    return replay.restore_snapshots(open_store())


@task(**_STEP)
def request_replays() -> int:
    """Requests for erased subjects who are back in a table; returns for how many."""
    return replay.request_replays(open_store())


@task(**_STEP)
def suppress_subjects(batch: str) -> int:
    """The batch's subjects on the suppression list, after a last look for rows and models."""
    resolution.resolve(open_store(), batch)
    erasable.refuse_unasked(open_store(), batch)
    return suppression.suppress(open_store(), batch) + suppression.put_on_found(open_store(), batch)


@task(**_STEP)
def tables_to_erase(batch: str) -> list[str]:
    """Tables in which the batch has rows."""
    return erasure.tables_of(open_store(), batch)


@task(**_STEP)
def erase_rows(batch: str, table: str) -> None:
    """The rows deleted from the table, if every model that learned from them was asked."""
    erasable.refuse_unasked(open_store(), batch)
    erasure.erase_rows(open_store(), batch, table)


@task(**_STEP)
def purge_files(batch: str, table: str) -> None:
    """Files and object versions that still held the rows removed."""
    erasure.purge_files(open_store(), batch, table)


@task(**_STEP)
def advance_models(batch: str, table: str) -> list[str]:
    """Every model of the table pointed to the table's new version."""
    return erasure.advance_models(open_store(), batch, table)


@task(**_STEP)
def certify_requests(batch: str) -> int:
    """One certificate for every accepted request, from a search that is over."""
    resolution.close_search(open_store(), batch)
    return certificates.certify(open_store(), batch)


@task(**_STEP)
def mirror_audit(batch: str) -> None:
    """The batch's events readable in MLflow."""
    audit.mirror(open_store(), batch)


@task(**_STEP)
def close_batch(batch: str) -> None:
    """The batch closed."""
    audit.close(open_store(), batch)


@task(**_STEP)
def refresh_ledger(model: str) -> str:
    """The gradient ledger of the model's current version."""
    return ledgers.refresh_ledger(open_store(), model)


@task(**_STEP)
def ledger_models() -> list[str]:
    """Every enrolled model in service, in name order."""
    return [e.model for e in enrolled_models(open_store()) if not e.is_withdrawn]


@task(**_STEP)
def refresh_references(model: str) -> str:
    """The reference models behind the attacks on the model."""
    return references.refresh_references(open_store(), model)


@task(**_STEP)
def drop_references(batch: str, table: str) -> list[str]:
    """References that learned from rows of an erased holdout table deleted."""
    return references.drop_references(open_store(), batch, table)


@task(**_STEP)
def drop_ledgers(model: str) -> None:
    """The model's ledgers over erased rows deleted; they are computed anew elsewhere."""
    ledgers.drop_stale_ledgers(open_store(), model)


@task(**_STEP)
def lineages() -> list[str]:
    """Every model that was ever enrolled, in name order."""
    return [e.model for e in enrolled_models(open_store())]


@task(**_STEP)
def retire_versions(model: str) -> list[str]:
    """Versions that remember erased people out of use; what people must look at."""
    return retirement.retire(open_store(), model)


@task(**_STEP)
def due_versions(model: str) -> list[int]:
    """Retired versions whose days are over."""
    return retirement.due(open_store(), model)


@task(**_STEP)
def purge_version(model: str, version: int) -> None:
    """The version gone from MLflow and from every place that kept its files."""
    retirement.purge(open_store(), model, version)


@task(**_STEP)
def drop_leftovers() -> int:
    """Weights of closed batches gone from the store."""
    return retirement.drop_leftovers(open_store())


@task(**_STEP)
def pin_source(source: models.ModelSource) -> models.ModelSource:
    """The source at one table version, for training and enrolment alike."""
    return models.pinned(source)


@task(**_STEP)
def train_version(
    source: models.ModelSource, hidden: tuple[int, ...], config: models.TrainingConfig
) -> int:
    """A freshly trained version under the serving alias."""
    return training.train_version(open_store(), source, hidden, config)


@task(**_STEP)
def adopt_version(source: models.ModelSource, version: int | None, trust_pickle: bool) -> str:
    """A registered version enrolled."""
    return models.adopt_version(open_store(), source, version, trust_pickle=trust_pickle).model
