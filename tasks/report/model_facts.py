"""What the erasure report tells of one model, read from the journal and the store alone."""

from dataclasses import dataclass
from typing import Literal

from tasks.attempts.curves import read_curves
from tasks.enrolling.recipes.kept import recipe_digest
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import KeptCurves
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.histories.batch import BatchHistory
from tasks.store.objects import ObjectStore
from unlearning.errors import DataError
from unlearning.evaluation.curves import Curves
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate import GateDecision

ModelState = Literal["promoted", "withdrawn", "blocked", "planned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RungFacts:
    """One attempt to make a model forget; None is what was not recorded or cannot be read."""

    attempt: Attempt
    decision: GateDecision | None
    evidence: Evidence | None
    curves: Curves | None
    curves_digest: str
    failure: str
    """Why no candidate was made or measured, in one sentence; empty if one was."""
    obstacle: str
    """Why no retrain followed, in one sentence; empty if nothing stood in its way."""
    troubles: tuple[str, ...]
    """What of it is missing, one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the batch did to one model."""

    name: str
    state: ModelState
    reason: str
    """Why it was blocked or withdrawn."""
    version: int | None
    """The version that was promoted."""
    digest: str
    """Digest of its weights."""
    kept: tuple[str, ...]
    """Tensors that a retrain took over from the version before."""
    recipe: str
    """Digest of the owner's recipe that a retrain was made by; empty if it was not."""
    rungs: tuple[RungFacts, ...]
    """In the order in which they were tried; never empty."""

    @property
    def last(self) -> RungFacts:
        """The rung that decided."""
        return self.rungs[-1]


def model_facts(store: ObjectStore, history: BatchHistory) -> list[ModelFacts]:
    """What the batch did to each model that it had a plan for, in name order."""
    return [_model(store, history.of_model(name)) for name in sorted(history.plans)]


def _model(store: ObjectStore, attempts: list[AttemptHistory]) -> ModelFacts:
    last = attempts[-1]
    state, reason = _end(last)
    return ModelFacts(
        name=last.attempt.model,
        state=state,
        reason=reason,
        version=last.promoted.version if last.promoted else None,
        digest=last.promoted.digest if last.promoted else "",
        kept=last.made.kept_from_parent if last.made else (),
        recipe=recipe_digest(last.made.recipe) if last.made else "",
        rungs=tuple(_rung(store, one) for one in attempts),
    )


def _end(last: AttemptHistory) -> tuple[ModelState, str]:
    """How it ended, and why if it did not end well."""
    if last.promoted:
        return "promoted", ""
    if last.withdrawn:
        return "withdrawn", last.withdrawn.reason
    if last.blocked:
        return "blocked", last.blocked.reason
    return "planned", ""


def _rung(store: ObjectStore, history: AttemptHistory) -> RungFacts:
    evaluated, decision = history.evaluated, history.decision
    curves, trouble = None, ""
    if evaluated and not history.attempt.is_of_few:
        curves, trouble = _curves(store, evaluated.curves)
    troubles = (
        "" if evaluated else "The evidence was not recorded.",
        "" if decision else "The decision of the gate was not recorded.",
        trouble,
    )
    # Before there is a candidate, nothing is missing.
    is_made = history.made is not None or history.promoted is not None
    failures = [one.reason for one in history.failures]
    obstacles = [one.obstacle for one in history.chosen if one.obstacle]
    return RungFacts(
        attempt=history.attempt,
        decision=decision,
        evidence=evaluated.evidence if evaluated else None,
        curves=curves,
        curves_digest=evaluated.curves.digest if evaluated else "",
        failure=failures[-1] if failures and decision is None else "",
        obstacle=obstacles[-1] if obstacles else "",
        troubles=tuple(one for one in troubles if one and is_made),
    )


def _curves(store: ObjectStore, kept: KeptCurves) -> tuple[Curves | None, str]:
    """The curves, or what is the trouble with them."""
    try:
        return read_curves(store, kept), ""
    except DataError as error:
        return None, str(error)
