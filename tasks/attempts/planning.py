"""What a batch unlearns from a model: planned once, kept as long as it holds, climbed on."""

import logging
from collections import Counter
from dataclasses import asdict, fields, replace
from typing import Any

from pydantic import TypeAdapter

from tasks.attempts.already_forgotten import forgotten_by, note_forgotten
from tasks.attempts.attempt import Attempt, config_digest, entry
from tasks.attempts.inputs import forget_rows
from tasks.datasets.rows import TableRows, label_counts
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, read_enrollment
from tasks.registry.mlflow_registry import alias_version
from tasks.store import journal
from tasks.store.objects import ObjectStore
from tasks.tables.delta import count_rows, is_readable, open_table
from unlearning.errors import ConflictError
from unlearning.gate.gate import GateDecision
from unlearning.model.rows import Rows, rows_digest
from unlearning.policy.budget import (
    RETRAIN,
    ClassShare,
    hardest_hit,
    is_exact,
    why_over_budget,
    why_suspicious,
)
from unlearning.policy.deletion import ERASING
from unlearning.policy.digests import SHORT, facts_digest
from unlearning.policy.ladder import NextRung

log = logging.getLogger("expunge.planning")

_DECISION = TypeAdapter(GateDecision)


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
    forget = forget_rows(store, batch, enrollment)
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


def _untouched(enrollment: Enrollment) -> str:
    return f"{enrollment.model}/untouched/{enrollment.version}/{enrollment.dataset_version}"


def climb(store: ObjectStore, attempt: Attempt, chosen: NextRung) -> Attempt:
    """The attempt on the next rung: the same rows, unlearned in another way."""
    facts = {k: v for k, v in asdict(attempt).items() if k != "key"}
    facts |= {"rung": chosen.rung, "method": chosen.method, "reason": chosen.reason}
    higher = Attempt(key=f"a-{facts_digest(facts)[:SHORT]}", **facts)
    journal.append(store, entry(higher, "planned", "UnlearningPlanned", asdict(higher)))
    log.warning("%s: next rung is %s. %s", attempt.model, chosen.rung, chosen.reason)
    return higher


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
    if _is_overtaken(events, attempt, enrollment):
        return False
    registered = by_id.get(f"{attempt.key}/registered")
    versions = {attempt.parent_version} | ({registered.facts["version"]} if registered else set())
    return champion in versions and config_digest(store, attempt.model) == attempt.config_digest


def _is_overtaken(events: list[journal.Event], attempt: Attempt, enrollment: Enrollment) -> bool:
    """Whether requests were withheld, or the tables became others, since it was planned."""
    withheld = [e.number for e in events if e.name == "RequestsWithheld"]
    planned = [e.number for e in events if e.id.startswith(f"{attempt.key}/planned")]
    ids = {e.id for e in events}
    is_blocked = f"{attempt.key}/blocked" in ids and f"{attempt.key}/registered" not in ids
    return (
        max(withheld, default=0) > max(planned)
        # Another batch erased rows meanwhile; the files of the older snapshot are gone.
        or attempt.dataset_version != enrollment.dataset_version
        or not is_readable(enrollment.holdout, attempt.holdout_version)
        or (is_blocked and _has_more_rows(events, attempt, enrollment))
    )


def _has_more_rows(events: list[journal.Event], attempt: Attempt, enrollment: Enrollment) -> bool:
    """Whether candidates were only judged on too little, and the holdout has more rows since.

    One that remembers is not judged again and again until chance lets it pass.
    """
    judged = [
        _DECISION.validate_python(e.facts)
        for e in events
        if e.name == "CandidateRejected" and e.facts["model"] == attempt.model
    ]
    if not all(decision.lacks_rows for decision in judged):
        return False
    then = open_table(enrollment.holdout, attempt.holdout_version)
    return count_rows(open_table(enrollment.holdout)) > count_rows(then)


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
    reason = why_over_budget(enrollment.budget, enrollment.deletions, forget.count)
    reason = reason or why_suspicious(enrollment.budget, hit)
    if reason:
        log.warning("%s: the deletion budget forces a retrain. %s", enrollment.model, reason)
        return {"method": RETRAIN, "reason": reason, "rung": "retrain", **share}
    return {"method": method, "reason": "", "rung": "update", **share}


def _hardest_hit(enrollment: Enrollment, forget: Rows) -> ClassShare | None:
    mine: Counter[int] = Counter()
    for _, labels in forget.chunks(enrollment.unlearning.chunk_size):
        mine.update(labels.tolist())
    return hardest_hit(mine, label_counts(enrollment.dataset, enrollment.dataset_version))
