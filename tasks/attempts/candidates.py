"""Candidates: unlearned weights in the store, before anybody serves them."""

import logging
from dataclasses import replace
from typing import Any

from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.attempts.attempt import once_in, plan_facts
from tasks.attempts.checkpoints import StoredCheckpoints
from tasks.attempts.inputs import halves, inputs, kept_rows
from tasks.enrolling.gradient_ledgers import read_ledger, store_ledger
from tasks.enrolling.timed_trainings import note_retrain, retrain_forecast
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.registry.services import Services
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


def make_candidate(services: Services, attempt: Attempt) -> dict[str, Any]:
    """Unlearn the batch's rows from the parent and keep the new weights in the store, once.

    Raises:
        UnsupportedModelError: the method does not fit the model, or it is a retrain that certainly
            cannot end before the earliest due date.
    """
    key = _key(attempt.key)
    _refuse_too_late(services, attempt)

    def find(plan: dict[str, Any]) -> dict[str, Any] | None:
        if not any(info.key == key for info in services.store.list_objects(key)):
            return None
        state = load(services.store.get(key))
        facts = {**plan_facts(plan), "candidate": key, "digest": model_digest(state)}
        return facts | _retrained(services, attempt, state)

    def make(_: dict[str, Any]) -> None:
        services.store.put_if_absent(key, save(_unlearn(services, attempt)))

    return once_in(services, attempt, "unlearned", "CandidateMade", find=find, make=make)


def _refuse_too_late(services: Services, attempt: Attempt) -> None:
    """Also of a retrain that the plan begins with; one that is under way goes on."""
    begun = (_key(attempt.key), _checkpoint(attempt))
    if not is_exact(attempt.method) or any(any(services.store.list_objects(key)) for key in begun):
        return
    enrollment = read_enrollment(services.journal, attempt.model)
    found = retrain_forecast(services, enrollment, attempt.forget_count)
    reason = why_too_late(found, batches.days_left(services, attempt.batch))
    if reason:
        raise UnsupportedModelError(
            f"{reason} Train {attempt.model} elsewhere, on a copy of its table without the "
            "requests' subjects, and enrol that version on the copy."
        )


def _retrained(services: Services, attempt: Attempt, state: dict[str, Tensor]) -> dict[str, Any]:
    """How many rows a retrained candidate learned from, and which tensors it has from its parent.

    Those are frozen layers and data in buffers. Whoever froze them knows whether they ever learned
    from the rows; a retrain cannot.
    """
    if not is_exact(attempt.method):
        return {"kept_from_parent": []}
    enrollment, parent, _ = inputs(services, attempt)
    return {
        "kept_from_parent": same_values(parent.state_dict(), state),
        "trained_rows": kept_rows(services, attempt, enrollment).count,
    }


def _unlearn(services: Services, attempt: Attempt) -> dict[str, Tensor]:
    enrollment, parent, forget = inputs(services, attempt)
    retain = _retain(services, attempt, enrollment)
    ledger = _ledger(services, attempt.method, enrollment, parent)
    holdout, _ = halves(services, attempt, enrollment, "holdout")
    is_resumed = any(services.store.list_objects(_checkpoint(attempt)))
    started = journal.now()
    checkpoints = StoredCheckpoints(services.store, _checkpoint(attempt))
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

    state = fitting(new_state, chunk_size=config.chunk_size, device=pick_device(services.settings))
    seconds = (journal.now() - started).total_seconds()
    log.info("%s: unlearned %d rows in %.1f s", attempt.model, attempt.forget_count, seconds)
    if is_exact(attempt.method) and not is_resumed:
        note_retrain(services, attempt.model, attempt.key, config.retraining, retain.count, seconds)
    return {name: value.cpu().contiguous() for name, value in state.items()}


def update_config(enrollment: Enrollment, attempt: Attempt) -> UnlearningConfig:
    """How the attempt's update goes: as enrolled, by the method of its rung."""
    if attempt.rung == "stronger":
        return stronger(enrollment.unlearning)
    return replace(enrollment.unlearning, method=attempt.method)


def _retain(services: Services, attempt: Attempt, enrollment: Enrollment) -> Rows:
    """A sample of the retain set; the whole set to retrain on."""
    if is_exact(attempt.method):
        return kept_rows(services, attempt, enrollment)
    retain, _ = halves(services, attempt, enrollment, "retain")
    return retain.rows


def _ledger(
    services: Services, method: str, enrollment: Enrollment, parent: nn.Module
) -> Ledger | None:
    """The ledger, if the method takes one; a missing one is computed first."""
    if method not in GRADIENT_METHODS:
        return None
    if read_ledger(services, enrollment) is None:
        log.warning("%s has no gradient ledger yet: one pass over its table", enrollment.model)
        store_ledger(services, enrollment, parent)
    return read_ledger(services, enrollment)


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
            "--budget.… --policy.…`."
        ) from error


def load_candidate(services: Services, attempt: Attempt, parent: nn.Module) -> nn.Module:
    """A copy of the parent with the candidate's weights."""
    return read_candidate(services, attempt.key, parent)


def read_candidate(services: Services, attempt: str, parent: nn.Module) -> nn.Module:
    """A copy of the parent with the weights of the candidate of the attempt with this key."""
    module = model_copy(parent)
    module.load_state_dict(load(services.store.get(_key(attempt))))
    return module


def _checkpoint(attempt: Attempt) -> str:
    return f"checkpoints/{attempt.key}.safetensors"


def _key(attempt: str) -> str:
    return f"candidates/{attempt}.safetensors"
