"""The history of one enrolled model: its weights, what they forgot, and what became of old ones."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from tasks.journal.events import versions as v
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.event import Event
from tasks.journal.events.models import (
    ChampionPromoted,
    ErasedSubjectsLearned,
    ErasureFact,
    ForgettingSettled,
    FormerRowsErased,
    HoldoutErased,
    MeasureFact,
    ModelEnrolled,
    ModelFact,
    ModelUnenrolled,
    ModelWithdrawn,
    OriginFact,
    SnapshotAdvanced,
    SnapshotLost,
    SnapshotRestored,
    TableClosed,
    TieFact,
)
from tasks.journal.histories.measures import Measures
from tasks.journal.histories.ties import TiesHistory
from tasks.journal.histories.weights import End, WeightsHistory
from unlearning.policy.budget import Deletions


@dataclass(slots=True)
class ModelHistory(Measures):
    """All that follows from a model's events; read it, and let `model_history` alone write it."""

    event_count: int = 0
    enrollment: Enrollment | None = None
    """The model as it stands; None before it was enrolled."""
    config_digest: str = ""
    """Digest of the rules it was last enrolled with."""
    weights: WeightsHistory = field(default_factory=WeightsHistory)
    ties: TiesHistory = field(default_factory=TiesHistory)
    ends: list[End] = field(default_factory=list)
    promoted: dict[int, Event[ChampionPromoted]] = field(default_factory=dict)
    """Promotions by version."""
    forgotten: dict[str, str] = field(default_factory=dict)
    """Attempts by which the present weights forgot rows that a table may still hold, each with its
    batch; weights of another origin have forgotten nothing."""
    settled: dict[str, str] = field(default_factory=dict)
    """When it was noted of a batch that no table holds such rows any more, ISO 8601."""
    finished: set[str] = field(default_factory=set)
    """Batches that the present weights, and those they came from, were promoted in."""
    withdrawn_by: str = ""
    """The batch that took it out of service last; empty if it lost its alias otherwise."""
    taken_out: ModelUnenrolled | None = None
    """Who took it out, and why; None if nobody did since it was enrolled."""
    taken_out_on: str = ""
    """The day of that, ISO 8601."""
    holdout_erasures: int = 0
    """How often rows were erased from a table that was its holdout."""
    alias_changes: int = 0
    """How often the alias left a version that remembers."""
    retired: dict[int, v.VersionRetired] = field(default_factory=dict)
    retired_in: dict[int, int] = field(default_factory=dict)
    """Numbers of the events by version."""
    purged: dict[int, v.VersionPurged] = field(default_factory=dict)
    _spent: dict[str, Deletions] = field(default_factory=dict)
    _withdrawn: set[str] = field(default_factory=set)

    @property
    def digests(self) -> set[str]:
        """Digests of all weights that it ever had, and of old versions that were retired."""
        old = {one.digest for one in self.retired.values()}
        return {digest for _, digest in self.weights.known} | old


def model_history(events: Iterable[Event[ModelFact]]) -> ModelHistory:
    """The history that these events make.

    Enrolling the same weights again, say with another policy, does not give back any of the budget,
    and does not bring back weights that were withdrawn: they still remember.
    """
    history = ModelHistory()
    for event in events:
        _apply(history, event)
        if (current := history.enrollment) is not None and current.deletions.updates:
            history._spent[current.digest] = current.deletions  # noqa: SLF001 - its one writer
    return history


def before_end(events: Sequence[Event[ModelFact]], batch: str) -> Sequence[Event[ModelFact]]:
    """The events until the batch's rows left the model; none if they did not."""
    ends = [end.number for end in model_history(events).ends if end.batch == batch]
    return events[: max(ends, default=0)]


def _apply(history: ModelHistory, event: Event[ModelFact]) -> None:
    history.event_count = event.number
    facts = event.facts
    if isinstance(facts, OriginFact):
        _came(history, event.at, facts)
    elif isinstance(facts, MeasureFact):
        history.note_measure(facts, history.enrollment, history.holdout_erasures)
    elif isinstance(facts, TieFact):
        _tied(history, event.number, facts)
    elif isinstance(facts, v.VersionFact):
        _version(history, event.number, facts)
    else:
        _erased(history, event, facts)


def _came(history: ModelHistory, at: str, facts: OriginFact) -> None:
    match facts:
        case ModelEnrolled():
            enrolled = facts.enrollment.canonical()
            current = history.enrollment
            if current is None or enrolled.digest != history.weights.digest:
                history.forgotten, history.finished, history.measured_of_origin = {}, set(), []
                history.ties.lost = None
            history.config_digest = facts.config_digest
            history.weights.came(enrolled.version, enrolled.digest, files=enrolled.files)
            history.ties.enrolled(enrolled, current, at)
            history.taken_out, history.taken_out_on = None, ""
            history.enrollment = replace(
                enrolled,
                deletions=history._spent.get(enrolled.digest, enrolled.deletions),  # noqa: SLF001
                is_withdrawn=enrolled.digest in history._withdrawn,  # noqa: SLF001
            )
        case ModelUnenrolled():
            history.taken_out, history.taken_out_on = facts, at[:10]
            history.weights.is_out = True
            _take_out(history, history.withdrawn_by)
        case ErasedSubjectsLearned():
            pass  # the enrolment says so, too
        case _:
            assert_never(facts)


def _erased(history: ModelHistory, event: Event[ModelFact], facts: ErasureFact) -> None:
    current = history.enrollment
    match facts:
        case ChampionPromoted():
            _promoted(history, Event(event.number, event.id, event.at, event.status, facts))
        case ModelWithdrawn():
            version = 0 if current is None else current.version
            history.ends.append(End(event.number, facts.batch, version))
            history.weights.left(facts.batch)
            history.weights.is_out = True
            history.weights.erase()
            _take_out(history, facts.batch)
            if current is not None:
                history._withdrawn.add(current.digest)  # noqa: SLF001
        case ForgettingSettled():
            history.forgotten = {a: b for a, b in history.forgotten.items() if b != facts.batch}
            history.settled[facts.batch] = event.at
        case SnapshotAdvanced():
            history.weights.erase()
            _move(history, facts)
        case SnapshotRestored():
            history.ties.lost = None
            _move(history, facts)
        case HoldoutErased():
            history.holdout_erasures += 1
        case _:
            assert_never(facts)


def _promoted(history: ModelHistory, event: Event[ChampionPromoted]) -> None:
    facts, current = event.facts, history.enrollment
    history.ends.append(End(event.number, facts.batch, facts.parent_version))
    history.promoted[facts.version] = event
    history.weights.left(facts.batch)
    history.weights.came(facts.version, facts.digest, facts.attempt, facts.files)
    history.weights.erase()
    history.forgotten[facts.attempt] = facts.batch
    history.finished.add(facts.batch)
    if current is None:
        return
    if facts.trained_rows is None:
        history.ties.updated(current.digest, facts.digest)
    else:
        history.ties.retrained(current, facts.digest, event.at, has_roster=facts.has_roster)
    # A retrain leaves out rows that earlier batches forgot and that are still in the table.
    trained = facts.trained_rows
    trained = current.row_count - facts.forget_count if trained is None else trained
    after = current.deletions.after(
        facts.forget_count, facts.method, row_count=trained + facts.forget_count
    )
    history.enrollment = replace(
        current, version=facts.version, digest=facts.digest, files=facts.files, deletions=after
    )


def _move(history: ModelHistory, facts: SnapshotAdvanced | SnapshotRestored | SnapshotLost) -> None:
    if (before := history.enrollment) is not None:
        history.enrollment = replace(
            before,
            dataset_version=facts.dataset_version,
            row_count=facts.row_count,
            fingerprint=facts.fingerprint,
        )
        if not isinstance(facts, SnapshotLost):
            history.ties.moved(before, history.enrollment)


def _tied(history: ModelHistory, number: int, facts: TieFact) -> None:
    match facts:
        case FormerRowsErased(batch=batch, table=table):
            history.ties.former.append(facts)
            former = history.ties.digests_on(table) - {history.weights.digest}
            history.weights.left_former(batch, frozenset(former))
            versions = dict.fromkeys(n for n, digest in history.weights.known if digest in former)
            history.ends += [End(number, batch, version) for version in versions]
        case SnapshotLost():
            history.ties.lost = facts
            _move(history, facts)
        case TableClosed():
            history.ties.closed[facts.table] = facts
        case _:
            assert_never(facts)


def _version(history: ModelHistory, number: int, facts: v.VersionFact) -> None:
    match facts:
        case v.AliasRestored() | v.AliasGiven():
            history.alias_changes += 1
        case v.AliasLost():
            history.alias_changes += 1
            history.weights.is_out = True
            _take_out(history, "")
        case v.VersionRetired():
            history.retired.setdefault(facts.version, facts)
            history.retired_in.setdefault(facts.version, number)
        case v.VersionPurged():
            history.purged.setdefault(facts.version, facts)
        case v.VersionExamined():
            history.examined[facts.model, facts.version, facts.source] = facts
        case v.AliasChangeIntended() | v.RetirementIntended() | v.VersionPurgeIntended():
            pass  # what came of it is the next event
        case _:
            assert_never(facts)


def _take_out(history: ModelHistory, batch: str) -> None:
    history.withdrawn_by = batch
    if history.enrollment is not None:
        history.enrollment = replace(history.enrollment, is_withdrawn=True)
