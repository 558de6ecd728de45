"""Candidates: unlearned weights in the store, before anybody serves them."""

import logging
from dataclasses import replace
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.attempts.attempt import Attempt, once_in, plan_facts
from tasks.attempts.checkpoints import StoredCheckpoints
from tasks.attempts.inputs import halves, inputs, kept_rows
from tasks.enrolling.gradient_ledgers import read_ledger, store_ledger
from tasks.hardware.device import pick_device
from tasks.hardware.memory import fitting
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, read_enrollment
from tasks.models.timed_trainings import note_retrain, retrain_forecast
from tasks.store import journal
from tasks.store.objects import ObjectStore
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import UnsupportedModelError
from unlearning.methods.catalog import GRADIENT_METHODS, unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.forward import model_copy
from unlearning.model.rows import Rows
from unlearning.model.weights import model_digest, same_values
from unlearning.policy.budget import is_exact
from unlearning.policy.deadlines import why_too_late
from unlearning.policy.ladder import stronger

log = logging.getLogger("expunge.candidates")


def make_candidate(store: ObjectStore, attempt: Attempt) -> dict[str, Any]:
    """Unlearn the batch's rows from the parent and keep the new weights in the store, once.

    Raises:
        UnsupportedModelError: the method does not fit the model, or it is a retrain that certainly
            cannot end before the earliest due date.
    """
    key = _key(attempt.key)
    _refuse_too_late(store, attempt)

    def find(plan: dict[str, Any]) -> dict[str, Any] | None:
        if not any(info.key == key for info in store.list_objects(key)):
            return None
        state = load(store.get(key))
        facts = {**plan_facts(plan), "candidate": key, "digest": model_digest(state)}
        return facts | _retrained(store, attempt, state)

    def make(_: dict[str, Any]) -> None:
        store.put_if_absent(key, save(_unlearn(store, attempt)))

    return once_in(store, attempt, "unlearned", "CandidateMade", find=find, make=make)


def _refuse_too_late(store: ObjectStore, attempt: Attempt) -> None:
    """Also of a retrain that the plan begins with; one that is under way goes on."""
    begun = (_key(attempt.key), _checkpoint(attempt))
    if not is_exact(attempt.method) or any(any(store.list_objects(key)) for key in begun):
        return
    enrollment = read_enrollment(store, attempt.model)
    found = retrain_forecast(store, enrollment, attempt.forget_count)
    reason = why_too_late(found, batches.days_left(store, attempt.batch))
    if reason:
        raise UnsupportedModelError(
            f"{reason} Train {attempt.model} elsewhere, on a copy of its table without the "
            "requests' subjects, and enrol that version on the copy."
        )


def _retrained(store: ObjectStore, attempt: Attempt, state: dict[str, Tensor]) -> dict[str, Any]:
    """How many rows a retrained candidate learned from, and which tensors it has from its parent.

    Those are frozen layers and data in buffers. Whoever froze them knows whether they ever learned
    from the rows; a retrain cannot.
    """
    if not is_exact(attempt.method):
        return {"kept_from_parent": []}
    enrollment, parent, _ = inputs(store, attempt)
    return {
        "kept_from_parent": same_values(parent.state_dict(), state),
        "trained_rows": kept_rows(store, attempt, enrollment).count,
    }


def _unlearn(store: ObjectStore, attempt: Attempt) -> dict[str, Tensor]:
    enrollment, parent, forget = inputs(store, attempt)
    retain = _retain(store, attempt, enrollment)
    ledger = _ledger(store, attempt.method, enrollment, parent)
    holdout, _ = halves(store, attempt, enrollment, "holdout")
    is_resumed = any(store.list_objects(_checkpoint(attempt)))
    started = journal.now()
    checkpoints = StoredCheckpoints(store, _checkpoint(attempt))
    config = update_config(enrollment, attempt)

    def new_state(chunk_size: int, device: str) -> dict[str, Tensor]:
        problem = UnlearningProblem(
            model=parent,
            forget=forget,
            retain=retain,
            holdout=holdout.rows,
            ledger=ledger,
            checkpoints=checkpoints,
            device=device,
        )
        return _new_state(problem, replace(config, chunk_size=chunk_size), attempt)

    state = fitting(new_state, chunk_size=config.chunk_size, device=pick_device())
    seconds = (journal.now() - started).total_seconds()
    log.info("%s: unlearned %d rows in %.1f s", attempt.model, attempt.forget_count, seconds)
    if is_exact(attempt.method) and not is_resumed:
        note_retrain(store, attempt.model, attempt.key, config.retraining, retain.count, seconds)
    return {name: value.cpu().contiguous() for name, value in state.items()}


def update_config(enrollment: Enrollment, attempt: Attempt) -> UnlearningConfig:
    """How the attempt's update goes: as enrolled, by the method of its rung."""
    if attempt.rung == "stronger":
        return stronger(enrollment.unlearning)
    return replace(enrollment.unlearning, method=attempt.method)


def _retain(store: ObjectStore, attempt: Attempt, enrollment: Enrollment) -> Rows:
    """A sample of the retain set; the whole set to retrain on."""
    if is_exact(attempt.method):
        return kept_rows(store, attempt, enrollment)
    retain, _ = halves(store, attempt, enrollment, "retain")
    return retain.rows


def _ledger(
    store: ObjectStore, method: str, enrollment: Enrollment, parent: nn.Module
) -> Ledger | None:
    """The ledger, if the method takes one; a missing one is computed first."""
    if method not in GRADIENT_METHODS:
        return None
    if read_ledger(store, enrollment) is None:
        log.warning("%s has no gradient ledger yet: one pass over its table", enrollment.model)
        store_ledger(store, enrollment, parent)
    return read_ledger(store, enrollment)


def _new_state(
    problem: UnlearningProblem, config: UnlearningConfig, attempt: Attempt
) -> dict[str, Tensor]:
    try:
        return unlearn(problem, config)
    except UnsupportedModelError as error:
        if not is_exact(attempt.method) or not attempt.reason:
            raise
        raise UnsupportedModelError(
            f"{attempt.model} must be retrained, which expunge cannot do: {attempt.reason} {error} "
            "Train it yourself on a copy of its table without the requests' subjects and enrol "
            f"that version on the copy, or widen its limits with `expunge enroll {attempt.model} "
            "--config FILE`, under [budget] or [policy] of that file."
        ) from error


def load_candidate(store: ObjectStore, attempt: Attempt, parent: nn.Module) -> nn.Module:
    """A copy of the parent with the candidate's weights."""
    return read_candidate(store, attempt.key, parent)


def read_candidate(store: ObjectStore, attempt: str, parent: nn.Module) -> nn.Module:
    """A copy of the parent with the weights of the candidate of the attempt with this key."""
    module = model_copy(parent)
    module.load_state_dict(load(store.get(_key(attempt))))
    return module


def _checkpoint(attempt: Attempt) -> str:
    return f"checkpoints/{attempt.key}.safetensors"


def _key(attempt: str) -> str:
    return f"candidates/{attempt}.safetensors"
