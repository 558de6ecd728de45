"""Candidates: unlearned weights in the store, before anybody serves them."""

import logging
from dataclasses import replace

from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.attempts.checkpoints import StoredCheckpoints
from tasks.attempts.inputs import inputs, retain_rows, split_sample
from tasks.attempts.recipe_retrains import retrained_by_recipe
from tasks.attempts.recorded_weights import refuse_changed
from tasks.enrolling.gradient_ledgers import read_ledger, store_ledger
from tasks.enrolling.recipes.kept import kept_recipe
from tasks.enrolling.timed_trainings import note_retrain, retrain_forecast
from tasks.environment.device import pick_device
from tasks.environment.memory import fitting
from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import CandidateIntended, CandidateMade
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.reading import read_enrollment
from tasks.registry.services import Services
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import EvidenceError, UnsupportedModelError
from unlearning.methods.catalog import GRADIENT_METHODS, unlearn
from unlearning.methods.gradient_ledger import Ledger
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import Rows
from unlearning.model.weights import model_digest, same_values
from unlearning.policy.budget import is_exact
from unlearning.policy.counted import counted
from unlearning.policy.deadlines import why_too_late
from unlearning.policy.ladder import stronger

log = logging.getLogger("expunge.candidates")


def make_candidate(services: Services, attempt: Attempt) -> CandidateMade:
    """Unlearn the batch's rows from the parent and keep the new weights in the store, once.

    Raises:
        UnsupportedModelError: the method does not fit the model, or it is a retrain that certainly
            cannot end before the earliest due date.
        RecipeError: its owner's recipe fails.
        EvidenceError: no row to forget can be read, so that no candidate could be judged.
        ChangedWeightsError: it was made before, and the store or the registry holds others by now.
    """
    key = attempt.ids.candidate
    _refuse_nothing_to_judge_by(attempt)
    refuse_changed(services, attempt)
    _refuse_too_late(services, attempt)

    def find(_: CandidateIntended) -> CandidateMade | None:
        if not any(info.key == key for info in services.store.list_objects(key)):
            return None
        return _made(services, attempt, load(services.store.get(key)))

    def make(_: CandidateIntended) -> None:
        services.store.put_if_absent(key, save(_unlearn(services, attempt)))

    return once(
        services.journal,
        batch_stream(attempt.batch),
        key=attempt.ids.unlearned,
        plan=CandidateIntended(model=attempt.model, attempt=attempt.key),
        find=find,
        make=make,
    )


def _refuse_nothing_to_judge_by(attempt: Attempt) -> None:
    if attempt.forget_count == 0:
        raise EvidenceError(
            f"None of the rows that {attempt.model} learned can be read any more, so that nobody "
            "can measure whether it forgot them; train it anew on what is there now, and enrol "
            "that version."
        )


def _refuse_too_late(services: Services, attempt: Attempt) -> None:
    """Also of a retrain that the plan begins with; one that is under way goes on."""
    begun = (attempt.ids.candidate, attempt.ids.checkpoint)
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


def _made(services: Services, attempt: Attempt, state: dict[str, Tensor]) -> CandidateMade:
    """With how many rows a retrained candidate learned from, and what it has from its parent.

    Those are frozen layers and data in buffers. Whoever froze them knows whether they ever learned
    from the rows; a retrain cannot.
    """
    made = CandidateMade(
        model=attempt.model,
        attempt=attempt.key,
        candidate=attempt.ids.candidate,
        digest=model_digest(state),
    )
    if not is_exact(attempt.method):
        return made
    enrollment, parent, _ = inputs(services, attempt)
    return replace(
        made,
        kept_from_parent=tuple(same_values(parent.state_dict(), state)),
        trained_rows=retain_rows(services, attempt, enrollment).count,
        recipe=enrollment.recipe,
    )


def _unlearn(services: Services, attempt: Attempt) -> dict[str, Tensor]:
    enrollment, parent, forget = inputs(services, attempt)
    recipe = kept_recipe(services.store, enrollment)
    if is_exact(attempt.method) and recipe is not None:
        return retrained_by_recipe(services, attempt, enrollment, recipe, parent)
    retain = _retain(services, attempt, enrollment)
    ledger = _ledger(services, attempt.method, enrollment, parent)
    holdout, _ = split_sample(services, attempt, enrollment, "holdout")
    is_resumed = any(services.store.list_objects(attempt.ids.checkpoint))
    started = journal.now()
    checkpoints = StoredCheckpoints(services.store, attempt.ids.checkpoint)
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
    rows = counted(attempt.forget_count, "row")
    log.info("%s: unlearned %s in %.1f s", attempt.model, rows, seconds)
    if is_exact(attempt.method) and not is_resumed:
        note_retrain(services, attempt, config.retraining, retain.count, seconds)
    return {name: value.cpu().contiguous() for name, value in state.items()}


def update_config(enrollment: Enrollment, attempt: Attempt) -> UnlearningConfig:
    """How the attempt's update goes: as enrolled, by the method of its rung."""
    if attempt.rung == "stronger":
        return stronger(enrollment.unlearning)
    return replace(enrollment.unlearning, method=attempt.method)


def _retain(services: Services, attempt: Attempt, enrollment: Enrollment) -> Rows:
    """A sample of the retain set; the whole set to retrain on."""
    if is_exact(attempt.method):
        return retain_rows(services, attempt, enrollment)
    retain, _ = split_sample(services, attempt, enrollment, "retain")
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
            "--config FILE`, under [budget] or [policy] of that file."
        ) from error
