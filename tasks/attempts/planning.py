"""What a batch unlearns from a model: planned once, kept as long as it holds, climbed on."""

import logging
from collections import Counter
from dataclasses import replace

from tasks.attempts.already_forgotten import note_forgotten
from tasks.attempts.inputs import are_others_now, digest_of, forget_rows, forget_subjects, lost_rows
from tasks.attempts.served import concerned, why_unserved
from tasks.datasets.rows import TableRows, label_counts
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.attempt import Attempt, AttemptPlan
from tasks.journal.events.attempts import AttemptPlanned, CandidateRejected
from tasks.journal.events.batches import ModelUntouched, NothingLeftToForget
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.histories.attempt import AttemptHistory
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import read_batch, read_enrollment, read_model
from tasks.registry.services import Services
from tasks.subjects.learned_rows import Unreadable
from tasks.tables.delta import count_by_subject, count_rows, is_readable, open_table
from unlearning.config.unlearning_config import MethodName
from unlearning.errors import ConflictError
from unlearning.model.rows import KEYED, Rows
from unlearning.policy.budget import (
    RETRAIN,
    ClassShare,
    hardest_hit,
    is_exact,
    why_over_budget,
    why_suspicious,
)
from unlearning.policy.deletion import ERASING
from unlearning.policy.ladder import NextRung, Rung

log = logging.getLogger("expunge.planning")


def plan(services: Services, batch: str, model: str) -> Attempt | None:
    """The attempt for this model: the one under way, else a new one; None if no row is affected.

    Raises:
        ConflictError: another version than the enrolled one answers, or nobody knows which, and
            the batch has rows that concern the model.
    """
    enrollment = read_enrollment(services.journal, model)
    if enrollment.is_withdrawn or is_untouched(services, batch, enrollment):
        return None
    earlier = under_way(services, batch, enrollment)
    if earlier is not None:
        return earlier
    forget, lost = forget_rows(services, batch, enrollment), lost_rows(services, batch, enrollment)
    why = why_unserved(services, enrollment)
    if why and (forget.count or lost or concerned(services, batch, model)):
        raise ConflictError(why)
    note_forgotten(services, batch, enrollment)
    if forget.count == 0 and not lost:
        _record_nothing_left(services, batch, enrollment)
        return None
    attempt = _new_attempt(services, batch, enrollment, forget, lost)
    _record_plan(services, attempt)
    log.info("%s: %d of %d rows to forget", model, forget.count, enrollment.row_count)
    return attempt


def under_way(services: Services, batch: str, enrollment: Enrollment) -> Attempt | None:
    """The batch's attempt on this model, if it was planned and its plan still holds."""
    history = read_batch(services.journal, batch)
    latest = history.plans.get(enrollment.model)
    if latest is None or not _continues(services, history, latest, enrollment):
        return None
    return latest.attempt


def is_untouched(services: Services, batch: str, enrollment: Enrollment) -> bool:
    """Whether it is on record that the model, as it stands, has none of the batch's rows in it."""
    return services.journal.find(batch_stream(batch), _untouched(enrollment)) is not None


def note_still_untouched(
    services: Services, batch: str, enrollment: Enrollment, dataset_version: int
) -> None:
    """Let a record that the model is untouched count for its next snapshot too.

    The weights stay as they are: they learn nothing from rows that were appended since.
    """
    stream = batch_stream(batch)
    known = services.journal.find(stream, _untouched(enrollment))
    if known is not None:
        event_id = _untouched(replace(enrollment, dataset_version=dataset_version))
        services.journal.append(stream, event_id, known.facts)


def has_forgotten(services: Services, batch: str, enrollment: Enrollment) -> bool:
    """Whether the batch made the model forget, be it in weights that it was promoted from since."""
    return batch in read_model(services.journal, enrollment.model).finished


def _record_nothing_left(services: Services, batch: str, enrollment: Enrollment) -> None:
    """Recorded, because after the vacuum this snapshot can no longer be asked."""
    subjects = batches.subjects(services, batch, enrollment.dataset.subject_kind)
    rows = TableRows(
        services.settings, enrollment.dataset, enrollment.dataset_version, only=subjects
    )
    kind = NothingLeftToForget if rows.count else ModelUntouched
    facts = kind(model=enrollment.model)
    services.journal.append(batch_stream(batch), _untouched(enrollment), facts)


def _untouched(enrollment: Enrollment) -> str:
    return ids.untouched(enrollment.model, enrollment.version, enrollment.dataset_version)


def climb(services: Services, attempt: Attempt, chosen: NextRung) -> Attempt:
    """The attempt on the next rung: the same rows, unlearned in another way."""
    higher = attempt.by(chosen.method, rung=chosen.rung, reason=chosen.reason)
    facts = AttemptPlanned(attempt=higher)
    services.journal.append(batch_stream(higher.batch), higher.ids.planned, facts)
    log.warning("%s: next rung is %s. %s", attempt.model, chosen.rung, chosen.reason)
    return higher


def _continues(
    services: Services, history: BatchHistory, latest: AttemptHistory, enrollment: Enrollment
) -> bool:
    """Whether the latest attempt still holds: same champion, rules, requests and snapshot."""
    attempt = latest.attempt
    champion = services.registry.alias_version(attempt.model)
    if latest.promoted is not None:
        if history.status not in ERASING:
            return champion == latest.promoted.version
        # Once rows are erased there is nothing left to unlearn them with, and other batches may
        # have promoted versions after this one's; weights of another origin were not asked yet.
        return has_forgotten(services, attempt.batch, enrollment)
    if _is_overtaken(services, history, latest, enrollment):
        return False
    versions = {attempt.parent_version}
    versions |= {latest.registered.version} if latest.registered else set()
    rules = read_model(services.journal, attempt.model).config_digest
    return champion in versions and rules == attempt.config_digest


def _is_overtaken(
    services: Services, history: BatchHistory, latest: AttemptHistory, enrollment: Enrollment
) -> bool:
    """Whether requests were withheld, or the tables became others, since it was planned."""
    attempt = latest.attempt
    is_blocked = latest.blocked is not None and latest.registered is None
    return (
        history.last_left(attempt.model) > latest.planned_in
        # Another batch erased rows meanwhile; the files of the older snapshot are gone.
        or attempt.dataset_version != enrollment.dataset_version
        or not is_readable(services.settings, enrollment.holdout, attempt.holdout_version)
        # An older release kept a digest of the rows that anybody could try likely rows on.
        or not attempt.forget_digest.startswith(KEYED)
        or (latest.registered is None and are_others_now(services, attempt, enrollment))
        or (is_blocked and _has_more_rows(services, history, attempt, enrollment))
    )


def _has_more_rows(
    services: Services, history: BatchHistory, attempt: Attempt, enrollment: Enrollment
) -> bool:
    """Whether candidates were only judged on too little, and the holdout has more rows since.

    One that remembers is not judged again and again until chance lets it pass.
    """
    judged = [one.judged for one in history.of_model(attempt.model)]
    rejected = [one.decision for one in judged if isinstance(one, CandidateRejected)]
    if not all(decision.lacks_rows for decision in rejected):
        return False
    then = open_table(services.settings, enrollment.holdout, attempt.holdout_version)
    return count_rows(open_table(services.settings, enrollment.holdout)) > count_rows(then)


def _record_plan(services: Services, attempt: Attempt) -> None:
    """Make this plan the latest of its model, also if it is one that was left and comes back."""
    known = read_batch(services.journal, attempt.batch).attempts.get(attempt.key)
    event_id = attempt.ids.planned_again(known.times_planned if known else 0)
    facts = AttemptPlanned(attempt=attempt)
    services.journal.append(batch_stream(attempt.batch), event_id, facts)


def _new_attempt(
    services: Services, batch: str, enrollment: Enrollment, forget: Rows, lost: Unreadable
) -> Attempt:
    hit = _hardest_hit(services, enrollment, forget)
    method, rung, reason = _method(enrollment, forget, hit)
    if lost:
        method, rung, reason = RETRAIN, "retrain", lost.why
    plan = AttemptPlan(
        batch=batch,
        model=enrollment.model,
        parent_version=enrollment.version,
        parent_digest=enrollment.digest,
        dataset=enrollment.dataset.uri,
        dataset_version=enrollment.dataset_version,
        holdout_version=open_table(services.settings, enrollment.holdout).version(),
        row_count=enrollment.row_count,
        forget_count=forget.count,
        forget_digest=digest_of(services, forget),
        config_digest=read_model(services.journal, enrollment.model).config_digest,
        method=method,
        reason=reason,
        rung=rung,
        subject_count=_subject_count(services, batch, enrollment),
        class_share=hit.share if hit else None,
    )
    return Attempt.of(plan)


def _subject_count(services: Services, batch: str, enrollment: Enrollment) -> int:
    wanted = forget_subjects(services, batch, enrollment)
    table = open_table(services.settings, enrollment.dataset.uri, enrollment.dataset_version)
    return len(count_by_subject(table, enrollment.dataset.subject, wanted))


def _method(
    enrollment: Enrollment, forget: Rows, hit: ClassShare | None
) -> tuple[MethodName, Rung, str]:
    """The enrolment's method; a retrain, with its reason, where the deletion budget forces one."""
    method = enrollment.unlearning.method
    if is_exact(method):
        return method, "update", ""
    reason = why_over_budget(enrollment.budget, enrollment.deletions, forget.count)
    reason = reason or why_suspicious(enrollment.budget, hit)
    if reason:
        log.warning("%s: the deletion budget forces a retrain. %s", enrollment.model, reason)
        return RETRAIN, "retrain", reason
    return method, "update", ""


def _hardest_hit(services: Services, enrollment: Enrollment, forget: Rows) -> ClassShare | None:
    """The class of which an update would take most; a retrain is not asked for it."""
    if is_exact(enrollment.unlearning.method):
        return None
    mine: Counter[int] = Counter()
    for _, labels in forget.chunks(enrollment.unlearning.chunk_size):
        mine.update(labels.tolist())
    return hardest_hit(
        mine, label_counts(services.settings, enrollment.dataset, enrollment.dataset_version)
    )
