"""The history of one attempt, as part of its batch's."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import (
    AliasWithdrawn,
    AttemptFact,
    AttemptPlanned,
    BatchBlocked,
    CandidateAccepted,
    CandidateEvaluated,
    CandidateFailed,
    CandidateIntended,
    CandidateMade,
    CandidateRejected,
    Judged,
    MemoryRanOut,
    PeopleCalled,
    PromotionIntended,
    RegistrationIntended,
    RungChosen,
    VersionPromoted,
    VersionRegistered,
    WithdrawalIntended,
)
from tasks.journal.events.event import Event
from unlearning.gate.gate import GateDecision


@dataclass(slots=True)
class AttemptHistory:
    """How far an attempt came, and what was found; read it, and let the batch's fold write it."""

    attempt: Attempt
    planned_in: int = 0
    """Number of the event by which it became the batch's plan for its model, last."""
    times_planned: int = 0
    begun_at: str = ""
    """When its candidate was begun, ISO 8601; empty before."""
    made_at: str = ""
    made: CandidateMade | None = None
    evaluated: CandidateEvaluated | None = None
    judged: Judged | None = None
    chosen: list[RungChosen] = field(default_factory=list)
    failures: list[CandidateFailed] = field(default_factory=list)
    out_of_memory: list[MemoryRanOut] = field(default_factory=list)
    registered: VersionRegistered | None = None
    promoted: VersionPromoted | None = None
    approver: str = ""
    """Who had approved its batch when it was promoted; empty if nobody had to."""
    is_withdrawal_intended: bool = False
    withdrawn: AliasWithdrawn | None = None
    blocked: BatchBlocked | None = None
    called: list[PeopleCalled] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time that making its candidate took; 0 if it was not made."""
        if not (self.begun_at and self.made_at):
            return 0.0
        begun, made = (datetime.fromisoformat(at) for at in (self.begun_at, self.made_at))
        return (made - begun).total_seconds()

    @property
    def decision(self) -> GateDecision | None:
        """The gate's decision; None before it was judged."""
        return self.judged.decision if self.judged else None

    @property
    def passed(self) -> bool:
        """Whether the gate let it pass, be it with checks that failed and were tolerated."""
        return isinstance(self.judged, CandidateAccepted)


def note(history: AttemptHistory, event: Event[AttemptFact]) -> None:
    """Take in the attempt's next event."""
    match facts := event.facts:
        case AttemptPlanned():
            history.planned_in = event.number
            history.times_planned += 1
        case CandidateIntended():
            history.begun_at = event.at
        case CandidateMade():
            history.made, history.made_at = facts, event.at
        case CandidateFailed():
            history.failures.append(facts)
        case MemoryRanOut():
            history.out_of_memory.append(facts)
        case _:
            _note_later(history, facts)


_Later = (
    CandidateEvaluated
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


def _note_later(history: AttemptHistory, facts: _Later) -> None:
    match facts:
        case CandidateEvaluated():
            history.evaluated = facts
        case CandidateAccepted() | CandidateRejected():
            history.judged = facts
        case RungChosen():
            history.chosen.append(facts)
        case VersionRegistered():
            history.registered = facts
        case VersionPromoted():
            history.promoted = facts
        case _:
            _note_end(history, facts)


_End = (
    RegistrationIntended
    | PromotionIntended
    | WithdrawalIntended
    | AliasWithdrawn
    | BatchBlocked
    | PeopleCalled
)


def _note_end(history: AttemptHistory, facts: _End) -> None:
    match facts:
        case WithdrawalIntended():
            history.is_withdrawal_intended = True
        case AliasWithdrawn():
            history.withdrawn = facts
        case BatchBlocked():
            history.blocked = facts
        case PeopleCalled():
            history.called.append(facts)
        case RegistrationIntended() | PromotionIntended():
            pass  # what came of it is the next event
        case _:
            assert_never(facts)
