"""One attempt to unlearn a batch from a model: its plan, and the inputs that the plan fixed."""

import json
import logging
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from torch import nn

from tasks import batches, journal
from tasks.datasets import Sample, TableRows, label_counts, sample_with_slices
from tasks.effects import once
from tasks.enrollment import Enrollment, read_enrollment, stream
from tasks.forgotten import forgotten_by, forgotten_subjects, note_forgotten
from tasks.object_store import ObjectStore
from tasks.reappearance import ids_to_leave_out
from tasks.registry import alias_version, load_model
from tasks.suppression import not_known_to
from tasks.tables import is_readable, open_table
from unlearning.budget import RETRAIN, ClassShare, hardest_hit, is_exact, overrun, suspicion
from unlearning.deletion import ERASING
from unlearning.errors import ConflictError, EvidenceError, SnapshotChangedError
from unlearning.ladder import Rung, Step
from unlearning.lineage import SHORT, facts_digest
from unlearning.rows import Rows, rows_digest
from unlearning.weights import model_digest

log = logging.getLogger("expunge.attempts")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is unlearned from what, and how; the key names its effects for ever."""

    key: str
    batch: str
    model: str
    parent_version: int
    parent_digest: str
    dataset: str
    dataset_version: int
    holdout_version: int
    row_count: int
    forget_count: int
    forget_digest: str
    config_digest: str
    method: str
    reason: str = ""
    """Why it is not simply the enrolment's update; empty if it is."""
    rung: Rung = "update"
    """Rung of the ladder (see `unlearning.ladder`)."""
    class_share: float | None = None
    """Share of its training rows that the class hit hardest loses; None if every class is small,
    the enrolment's method is a retrain, or the record is of an older release."""


def plan(store: ObjectStore, batch: str, model: str) -> Attempt | None:
    """The attempt for this model: the one under way, else a new one; None if no row is affected.

    Raises:
        ConflictError: the alias points to a version that was not enrolled.
    """
    enrollment = read_enrollment(store, model)
    if enrollment.is_withdrawn or is_untouched(store, batch, enrollment):
        return None
    earlier = under_way(store, batch, enrollment)
    if earlier is not None:
        return earlier
    champion = alias_version(model)
    if champion != enrollment.version:
        raise ConflictError(
            f"The alias of {model} points to version {champion}, but version {enrollment.version} "
            f"is enrolled; enrol version {champion} with `expunge enroll {model}`."
        )
    note_forgotten(store, batch, enrollment)
    forget = _forget_rows(store, batch, enrollment)
    if forget.count == 0:
        _record_nothing_left(store, batch, enrollment)
        return None
    attempt = _new_attempt(batch, enrollment, forget, config_digest(store, model))
    _record_plan(store, attempt)
    log.info("%s: %d of %d rows to forget", model, forget.count, enrollment.row_count)
    return attempt


def under_way(store: ObjectStore, batch: str, enrollment: Enrollment) -> Attempt | None:
    """The batch's attempt on this model, if it was planned and its plan still holds."""
    earlier = _latest(store, batch, enrollment.model)
    if earlier is None or not _continues(store, earlier, enrollment):
        return None
    return earlier


def is_untouched(store: ObjectStore, batch: str, enrollment: Enrollment) -> bool:
    """Whether it is on record that the model, as it stands, has none of the batch's rows in it."""
    return journal.find(store, batches.stream(batch), _untouched(enrollment)) is not None


def keep_untouched(
    store: ObjectStore, batch: str, enrollment: Enrollment, dataset_version: int
) -> None:
    """Let a record that the model is untouched hold for its next snapshot too.

    The weights stay as they are: they learn nothing from rows that were appended since.
    """
    known = journal.find(store, batches.stream(batch), _untouched(enrollment))
    if known is not None:
        key = _untouched(replace(enrollment, dataset_version=dataset_version))
        journal.append(store, journal.Entry(batches.stream(batch), key, known.name, known.facts))


def has_forgotten(store: ObjectStore, batch: str, enrollment: Enrollment) -> bool:
    """Whether the batch made the model forget, be it in weights that it was promoted from since."""
    return any(one.batch == batch for one in forgotten_by(store, enrollment))


def _record_nothing_left(store: ObjectStore, batch: str, enrollment: Enrollment) -> None:
    """Recorded, because after the vacuum this snapshot can no longer be asked."""
    subjects = batches.subjects(store, batch)
    rows = TableRows(enrollment.dataset, enrollment.dataset_version, only=subjects)
    event = "ModelForgotBefore" if rows.count else "ModelUntouched"
    facts = {"model": enrollment.model}
    entry = journal.Entry(batches.stream(batch), _untouched(enrollment), event, facts)
    journal.append(store, entry)


def plan_digest(attempt: Attempt) -> str:
    """Digest of what is forgotten by what, the same on every rung of the ladder.

    Who approves a plan approves the whole ladder: the next rung must not wait for another answer.
    """
    on_a_rung = ("key", "rung", "method", "reason", "class_share")
    return facts_digest({k: v for k, v in asdict(attempt).items() if k not in on_a_rung})


def _untouched(enrollment: Enrollment) -> str:
    return f"{enrollment.model}/untouched/{enrollment.version}/{enrollment.dataset_version}"


def climb(store: ObjectStore, attempt: Attempt, step: Step) -> Attempt:
    """The attempt on the next rung: the same rows, unlearned in another way."""
    facts = {k: v for k, v in asdict(attempt).items() if k != "key"}
    facts |= {"rung": step.rung, "method": step.method, "reason": step.reason}
    higher = Attempt(key=f"a-{facts_digest(facts)[:SHORT]}", **facts)
    journal.append(store, entry(higher, "planned", "UnlearningPlanned", asdict(higher)))
    log.warning("%s: next rung is %s. %s", attempt.model, step.rung, step.reason)
    return higher


def config_digest(store: ObjectStore, model: str) -> str:
    """Digest of everything that decides how a model is unlearned and judged, as it was recorded.

    An option that a later release adds is not in the record: it voids neither plan nor approval.
    """
    events = journal.read(store, stream(model))
    recorded = next(e.facts for e in reversed(events) if e.name == "ModelEnrolled")
    parts = ("unlearning", "policy", "budget")
    return facts_digest({name: recorded[name] for name in parts if name in recorded})


def _latest(store: ObjectStore, batch: str, model: str) -> Attempt | None:
    names = {f.name for f in fields(Attempt)}
    for event in reversed(journal.read(store, batches.stream(batch))):
        if event.name == "UnlearningPlanned" and event.facts["model"] == model:
            return Attempt(**{k: v for k, v in event.facts.items() if k in names})
    return None


def _continues(store: ObjectStore, attempt: Attempt, enrollment: Enrollment) -> bool:
    """Whether an earlier attempt still holds: same champion, rules, requests and snapshot."""
    champion = alias_version(attempt.model)
    events = journal.read(store, batches.stream(attempt.batch))
    by_id = {e.id: e for e in events}
    promoted = by_id.get(f"{attempt.key}/promoted")
    if promoted is not None:
        if events[-1].status not in ERASING:
            return champion == promoted.facts["version"]
        # Once rows are erased there is nothing left to unlearn them with, and other batches may
        # have promoted versions after this one's; weights of another origin were not asked yet.
        return has_forgotten(store, attempt.batch, enrollment)
    withheld = [e.number for e in events if e.name == "RequestsWithheld"]
    planned = [e.number for e in events if e.id.startswith(f"{attempt.key}/planned")]
    if max(withheld, default=0) > max(planned):
        return False
    if attempt.dataset_version != enrollment.dataset_version:
        # Another batch erased rows meanwhile; the files of the older snapshot are gone.
        return False
    if not is_readable(enrollment.holdout, attempt.holdout_version):
        return False
    registered = by_id.get(f"{attempt.key}/registered")
    versions = {attempt.parent_version} | ({registered.facts["version"]} if registered else set())
    return champion in versions and config_digest(store, attempt.model) == attempt.config_digest


def _record_plan(store: ObjectStore, attempt: Attempt) -> None:
    """Make this plan the latest of its model, also if it is one that was left and comes back."""
    events = journal.read(store, batches.stream(attempt.batch))
    plans = [e.facts["key"] for e in events if e.name == "UnlearningPlanned"]
    earlier = plans.count(attempt.key)
    step = f"planned/{earlier + 1}" if earlier else "planned"
    journal.append(store, entry(attempt, step, "UnlearningPlanned", asdict(attempt)))


def _new_attempt(batch: str, enrollment: Enrollment, forget: Rows, config: str) -> Attempt:
    facts: dict[str, Any] = {
        "batch": batch,
        "model": enrollment.model,
        "parent_version": enrollment.version,
        "parent_digest": enrollment.digest,
        "dataset": enrollment.dataset.uri,
        "dataset_version": enrollment.dataset_version,
        "holdout_version": open_table(enrollment.holdout).version(),
        "row_count": enrollment.row_count,
        "forget_count": forget.count,
        "forget_digest": rows_digest(forget),
        "config_digest": config,
        **_method(enrollment, forget),
    }
    return Attempt(key=f"a-{facts_digest(facts)[:SHORT]}", **facts)


def _method(enrollment: Enrollment, forget: Rows) -> dict[str, Any]:
    """The enrolment's method; a retrain, with its reason, where the deletion budget forces one."""
    method = enrollment.unlearning.method
    if is_exact(method):
        return {"method": method, "reason": "", "rung": "update"}
    hit = _hardest_hit(enrollment, forget)
    share = {"class_share": hit.share if hit else None}
    reason = overrun(enrollment.budget, enrollment.deletions, forget.count)
    reason = reason or suspicion(enrollment.budget, hit)
    if reason:
        log.warning("%s: the deletion budget forces a retrain. %s", enrollment.model, reason)
        return {"method": RETRAIN, "reason": reason, "rung": "retrain", **share}
    return {"method": method, "reason": "", "rung": "update", **share}


def _hardest_hit(enrollment: Enrollment, forget: Rows) -> ClassShare | None:
    mine: Counter[int] = Counter()
    for _, labels in forget.chunks(enrollment.unlearning.chunk_size):
        mine.update(labels.tolist())
    return hardest_hit(mine, label_counts(enrollment.dataset, enrollment.dataset_version))


def inputs(store: ObjectStore, attempt: Attempt) -> tuple[Enrollment, nn.Module, TableRows]:
    """Enrolment as planned, parent and forget rows, all compared with the plan.

    Raises:
        ConflictError: the registry holds other weights under the parent's version.
        SnapshotChangedError: the table no longer holds the planned rows.
    """
    enrollment = read_enrollment(store, attempt.model)
    parent = load_model(
        attempt.model,
        attempt.parent_version,
        trust_pickle=enrollment.trust_pickle,
        is_parent=True,
    ).module
    if model_digest(parent.state_dict()) != attempt.parent_digest:
        raise ConflictError(
            f"Version {attempt.parent_version} of {attempt.model} holds other weights than were "
            f"enrolled; enrol it again with `expunge enroll {attempt.model}`."
        )
    forget = _forget_rows(store, attempt.batch, enrollment)
    if forget.count != attempt.forget_count or rows_digest(forget) != attempt.forget_digest:
        raise SnapshotChangedError(
            f"The rows to forget from {enrollment.snapshot} changed since they were planned; "
            "restore that version of the table, then run again."
        )
    return enrollment, parent, forget


def _forget_rows(store: ObjectStore, batch: str, enrollment: Enrollment) -> TableRows:
    """The batch's rows that the model has learned and not forgotten since, in any batch."""
    by_id = batches.pseudonyms(batches.subjects(store, batch))
    erased = not_known_to(store, enrollment, before=batch)
    forgotten = forgotten_subjects(store, enrollment)
    wanted = {s for s, who in by_id.items() if who not in erased} - forgotten
    return TableRows(enrollment.dataset, enrollment.dataset_version, only=sorted(wanted))


def halves(
    store: ObjectStore, attempt: Attempt, enrollment: Enrollment, kind: str
) -> tuple[Sample, Sample]:
    """Two disjoint samples: one the update may read, one for the evidence alone.

    A row is in the same half in every batch, so that what references or updates learned from once
    is never evidence later.

    Raises:
        EvidenceError: a half is empty.
    """
    config = enrollment.unlearning
    count = config.retain_sample if kind == "retain" else config.holdout_sample
    version = attempt.dataset_version if kind == "retain" else attempt.holdout_version
    uri = enrollment.dataset.uri if kind == "retain" else enrollment.holdout
    erased = ids_to_leave_out(store, enrollment.dataset, version, uri=uri)
    sample = sample_with_slices(
        enrollment.dataset,
        version,
        count=2 * count,
        seed=config.seed,
        without=[*_gone(store, attempt, enrollment), *erased],
        uri=uri,
    )
    read, judged = sample.halves()
    if not (read.rows.count and judged.rows.count):
        raise EvidenceError(
            f"The {kind} rows of {attempt.model} do not make two parts, one for the update and one "
            f"for the evidence; add rows to its {kind} table."
        )
    return read, judged


def kept_rows(store: ObjectStore, attempt: Attempt, enrollment: Enrollment) -> TableRows:
    """Every row of the planned snapshot but those that were, are or will be forgotten."""
    erased = ids_to_leave_out(store, enrollment.dataset, attempt.dataset_version)
    gone = [*_gone(store, attempt, enrollment), *erased]
    return TableRows(enrollment.dataset, attempt.dataset_version, without=gone)


def _gone(store: ObjectStore, attempt: Attempt, enrollment: Enrollment) -> list[str]:
    """Subjects of this batch, and of earlier ones that were forgotten and not erased yet."""
    mine = set(batches.subjects(store, attempt.batch))
    return sorted(mine | forgotten_subjects(store, enrollment))


def once_in(
    store: ObjectStore, attempt: Attempt, step: str, event: str, **calls: Any
) -> dict[str, Any]:
    """Make one effect of the attempt exactly once (see `tasks.effects.once`)."""
    return once(
        store,
        batches.stream(attempt.batch),
        key=f"{attempt.key}/{step}",
        event=event,
        plan={"model": attempt.model, "attempt": attempt.key},
        **calls,
    )


def plan_facts(plan: dict[str, Any]) -> dict[str, Any]:
    """What was planned, as part of the outcome."""
    return {k: v for k, v in plan.items() if k != "effect"}


def entry(attempt: Attempt, step: str, event: str, facts: dict[str, Any]) -> journal.Entry:
    """An event of the attempt, in its batch's stream."""
    stream = batches.stream(attempt.batch)
    # Through JSON, so that a recorded event and a fresh one are the same thing.
    return journal.Entry(stream, f"{attempt.key}/{step}", event, json.loads(json.dumps(facts)))
