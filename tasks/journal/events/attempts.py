"""What happens to one attempt of a batch on a model, in the batch's stream."""

from dataclasses import dataclass, field
from datetime import date

from tasks.journal.events.attempt import Attempt
from unlearning.evidence.evidence import Evidence
from unlearning.gate.gate import GateDecision
from unlearning.policy.ladder import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAttempt:
    """Which attempt on which model."""

    model: str
    attempt: str
    """Key of the attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPlanned:
    """It is what the batch does to the model, until another one is planned."""

    attempt: Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateIntended(OfAttempt):
    """Its candidate is about to be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateMade(OfAttempt):
    """Its unlearned weights are in the store."""

    candidate: str
    """Key of the weights."""
    digest: str
    kept_from_parent: tuple[str, ...] = ()
    """Tensors that a retrained candidate has from its parent: frozen layers, data in buffers."""
    trained_rows: int | None = None
    """Rows that a retrained candidate learned from; None for an update."""
    recipe: str = ""
    """Key of the owner's recipe by which it was retrained; empty if none was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFailed(OfAttempt):
    """A part of it cannot be done with this model or these rows."""

    reason: str
    is_of_rows: bool = False
    """Whether it is the rows that are unfit, so that somebody may mend them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRanOut(OfAttempt):
    """This machine has not the memory for it: the batch stands still."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCurves:
    """Where a candidate's curves lie, bound by digest."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateEvaluated(OfAttempt):
    """Parent and candidate were measured on rows that the update did not see."""

    evidence: Evidence
    curves: KeptCurves


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged(OfAttempt):
    """The gate's decision with every check."""

    decision: GateDecision


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateAccepted(_Judged):
    """It passed the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRejected(_Judged):
    """It failed the gate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RungChosen(OfAttempt):
    """What follows it, since it did not pass."""

    rung: Rung
    reason: str
    obstacle: str = ""
    """Why no retrain can be made, or not in time; empty if it can."""
    retrain_seconds: float | None = None
    """How long a retrain is expected to take; None if nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationIntended(OfAttempt):
    """Its candidate is about to become a model version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRegistered(OfAttempt):
    """Its candidate is a model version, with its lineage."""

    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionIntended(OfAttempt):
    """The serving alias is about to move to its version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPromoted(OfAttempt):
    """The serving alias is on its version."""

    version: int
    digest: str
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the version's files by path; empty if an older release recorded none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawalIntended(OfAttempt):
    """The serving alias is about to be taken from its parent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasWithdrawn(OfAttempt):
    """Nobody serves its parent any more, which could not be made to forget."""

    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBlocked(OfAttempt):
    """The batch waits, since none of the model's candidates passed."""

    failed: tuple[str, ...]
    """Names of the checks that the last one failed."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleCalled(OfAttempt):
    """People were told that no rung was enough and that its rows are still remembered."""

    day: date
    due_on: date
    """When the first of its requests is due."""
    said: str
    """The alarm."""


Judged = CandidateAccepted | CandidateRejected
AttemptFact = (
    AttemptPlanned
    | CandidateIntended
    | CandidateMade
    | CandidateFailed
    | MemoryRanOut
    | CandidateEvaluated
    | Judged
    | RungChosen
    | RegistrationIntended
    | VersionRegistered
    | PromotionIntended
    | VersionPromoted
    | WithdrawalIntended
    | AliasWithdrawn
    | BatchBlocked
    | PeopleCalled
)
"""What happens to an attempt."""
