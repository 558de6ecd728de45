"""The history of one batch: what was judged, found, asked, unlearned, erased and certified."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import assert_never

from tasks.journal.events.attempts import AttemptFact, AttemptPlanned, VersionPromoted
from tasks.journal.events.batches import (
    Answer,
    ApprovalRequested,
    BatchApproved,
    BatchClosed,
    BatchFrozen,
    BatchRejected,
    BatchSuperseded,
    BatchValidated,
    EarlierVersionsStated,
    FilesPurged,
    ForgottenEarlier,
    ModelOutOfService,
    ModelUntouched,
    NothingLeftToForget,
    OwnBatchFact,
    QuestionRetracted,
    RequestsTold,
    RowsResolved,
    SearchClosed,
    SubjectsSuppressed,
    SuppressionIntended,
    TableFact,
    TableGone,
)
from tasks.journal.events.catalog import BatchFact
from tasks.journal.events.event import Event
from tasks.journal.events.halts import HaltFact
from tasks.journal.events.objects import ObjectFact, ObjectsErased
from tasks.journal.events.preflight import Preflight
from tasks.journal.events.reduction import Reducing
from tasks.journal.events.statements import StatementFact
from tasks.journal.events.withheld import NearMatchesSought, RequestsSentAhead, RequestsWithheld
from tasks.journal.histories.attempt import AttemptHistory, note
from tasks.journal.histories.statements import Statements, note_statement
from tasks.journal.histories.table import TableHistory, note_table
from tasks.journal.histories.withheld import Withheld, note_withheld


@dataclass(slots=True)
class BatchHistory(Withheld):
    """All that follows from a batch's events; read it, and let `batch_history` alone write it."""

    status: str = ""
    """Empty if there is no such batch."""
    began_at: str = ""
    """When it was frozen, ISO 8601."""
    last_at: str = ""
    """When the latest event before its closing happened."""
    event_count: int = 0
    event_ids: set[str] = field(default_factory=set)
    validated: BatchValidated | None = None
    decided_at: str = ""
    """When the last fact that certificates state was found."""
    attempts: dict[str, AttemptHistory] = field(default_factory=dict)
    """By key, in the order in which they became the plan."""
    tables: dict[str, TableHistory] = field(default_factory=dict)
    objects: list[ObjectsErased] = field(default_factory=list)
    """Rounds in which objects that its rows pointed to were deleted."""
    stated: Statements = field(default_factory=Statements)
    asked: Preflight | None = None
    """The latest question to people; None if there never was one."""
    answer: Event[Answer] | None = None
    """The latest answer."""
    answers: list[Answer] = field(default_factory=list)
    is_approval_last: bool = False
    """Whether an approval was the last word between expunge and people."""
    untouched: list[Event[ModelUntouched | NothingLeftToForget]] = field(default_factory=list)
    forgotten_earlier: list[ForgottenEarlier] = field(default_factory=list)
    out_of_service: list[ModelOutOfService] = field(default_factory=list)
    earlier_versions_as_of: dict[str, int] = field(default_factory=dict)
    """By model, the number of its event as of which certificates state its earlier versions."""
    superseded_by: str = ""
    is_suppressed: bool = False
    """Whether its subjects stand on the suppression list, so that rows may be gone."""
    is_search_closed: bool = False
    is_closed: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """Its records by outcome, as validated."""
        return self.validated.counts if self.validated else {}

    @property
    def approver(self) -> str:
        """Who approved what was done; empty if nobody had to."""
        return self.answer.facts.name if self.answer and self.is_approval_last else ""

    @property
    def was_stopped(self) -> bool:
        """Whether somebody ever rejected it, or a model blocked it, so that requests were told."""
        is_rejected = any(isinstance(one, BatchRejected) for one in self.answers)
        return is_rejected or any(one.blocked for one in self.attempts.values())

    @property
    def plans(self) -> dict[str, AttemptHistory]:
        """The attempt on each model that was planned last."""
        return {one.attempt.model: one for one in self.attempts.values()}

    def of_model(self, model: str) -> list[AttemptHistory]:
        """Its attempts on a model, in the order in which they became the plan."""
        return [one for one in self.attempts.values() if one.attempt.model == model]

    def promoted(self) -> Iterator[AttemptHistory]:
        """The latest promotion of each model: an earlier one may have been overtaken."""
        found = {one.attempt.model: one for one in self.attempts.values() if one.promoted}
        yield from found.values()


def batch_history(events: Iterable[Event[BatchFact]]) -> BatchHistory:
    """The history that these events make."""
    history = BatchHistory()
    for event in events:
        history.status, history.event_count = event.status, event.number
        history.began_at = history.began_at or event.at
        if not isinstance(event.facts, BatchClosed | Reducing):
            history.last_at = event.at
        history.event_ids.add(event.id)
        head = (event.number, event.id, event.at, event.status)
        if isinstance(event.facts, AttemptFact):
            _attempted(history, Event(*head, event.facts))
        else:
            _happened(history, Event(*head, event.facts))
    return history


def _attempted(history: BatchHistory, event: Event[AttemptFact]) -> None:
    facts = event.facts
    if isinstance(facts, AttemptPlanned):
        key = facts.attempt.key
        # The latest plan comes last, also if it is one that was left and comes back.
        history.attempts[key] = history.attempts.pop(key, AttemptHistory(facts.attempt))
    else:
        key = facts.attempt
    note(history.attempts[key], event)
    if isinstance(facts, VersionPromoted):
        history.attempts[key].approver = history.approver


def _happened(history: BatchHistory, event: Event[OwnBatchFact]) -> None:
    match facts := event.facts:
        case BatchValidated():
            history.validated = facts
        case RequestsWithheld() | NearMatchesSought() | RequestsSentAhead():
            note_withheld(history, event.number, event.id, facts)
        case RowsResolved():
            history.decided_at = event.at
        case BatchFrozen() | RequestsTold():
            pass  # asked for by id
        case _:
            if not isinstance(facts, Reducing | HaltFact):  # asked for by id, or as the last event
                _went_on(history, event, facts)


_Noting = (
    ModelUntouched
    | NothingLeftToForget
    | ForgottenEarlier
    | ModelOutOfService
    | EarlierVersionsStated
)
_Answering = ApprovalRequested | QuestionRetracted | Answer
_Ending = SuppressionIntended | SubjectsSuppressed | SearchClosed | BatchSuperseded | BatchClosed


def _went_on(
    history: BatchHistory,
    event: Event[OwnBatchFact],
    facts: _Noting | StatementFact | _Answering | TableFact | ObjectFact | _Ending,
) -> None:
    if isinstance(facts, _Noting):
        _noted(history, event, facts)
    elif isinstance(facts, StatementFact):
        note_statement(history.stated, facts)
    elif isinstance(facts, _Answering):
        _answered(history, event, facts)
    elif isinstance(facts, TableFact):
        _erased(history, event.at, facts)
    elif isinstance(facts, ObjectFact):
        if isinstance(facts, ObjectsErased):
            history.objects.append(facts)
            history.decided_at = event.at
    else:
        _ended(history, facts)


def _noted(history: BatchHistory, event: Event[OwnBatchFact], facts: _Noting) -> None:
    match facts:
        case ModelUntouched() | NothingLeftToForget():
            untouched = Event(event.number, event.id, event.at, event.status, facts)
            history.untouched.append(untouched)
        case ForgottenEarlier():
            history.forgotten_earlier.append(facts)
        case ModelOutOfService():
            history.out_of_service.append(facts)
        case EarlierVersionsStated(model=model, as_of=as_of):
            history.earlier_versions_as_of[model] = as_of
        case _:
            assert_never(facts)


def _answered(history: BatchHistory, event: Event[OwnBatchFact], facts: _Answering) -> None:
    history.is_approval_last = isinstance(facts, BatchApproved)
    match facts:
        case ApprovalRequested(preflight=preflight):
            history.asked = preflight
        case BatchApproved() | BatchRejected():
            history.answer = Event(event.number, event.id, event.at, event.status, facts)
            history.answers.append(facts)
        case QuestionRetracted():
            pass
        case _:
            assert_never(facts)


def _erased(history: BatchHistory, at: str, facts: TableFact) -> None:
    note_table(history.tables.setdefault(facts.table, TableHistory()), facts)
    if isinstance(facts, FilesPurged | TableGone):
        history.decided_at = at


def _ended(history: BatchHistory, facts: _Ending) -> None:
    match facts:
        case SubjectsSuppressed():
            history.is_suppressed = True
        case SearchClosed():
            history.is_search_closed = True
        case BatchSuperseded(by=by):
            history.superseded_by = by
        case BatchClosed():
            history.is_closed = True
        case SuppressionIntended():
            pass
        case _:
            assert_never(facts)
