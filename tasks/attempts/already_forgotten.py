"""What a model's present weights have forgotten already while the rows still lie in the table.

A batch may be promoted in one model and blocked by another, or a hold may take a request out of it
afterwards. Those rows stay where they are, their requests join a later batch, and until they are
erased nothing may teach that model those rows again, nor ask it to forget them twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.batches import ForgottenEarlier
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import ForgettingSettled
from tasks.journal.reading import enrolled_models, read_batch, read_model
from tasks.registry.services import Services
from unlearning.policy.deletion import is_open


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Requests whose rows the model forgot and no table has lost yet."""

    batch: str
    """The batch in which it forgot them."""
    attempt: str
    """Key of the attempt that was promoted."""
    records: frozenset[str]

    def also_in(self, services: Services, batch: str) -> list[str]:
        """Records of another batch for the same subjects."""
        mine = batches.dispositions(services, self.batch)
        subjects = {d.subject for d in mine if d.record_id in self.records}
        return sorted(
            d.record_id for d in batches.accepted(services, batch) if d.subject in subjects
        )


def forgotten_by(services: Services, enrollment: Enrollment) -> list[Forgotten]:
    """Requests that the weights in service have forgotten and whose rows are still there.

    Weights of another origin, enrolled since, have forgotten nothing. Cost: one read of every batch
    that is not noted as settled.
    """
    return [one for one in _all_forgotten(services, enrollment.model) if one.records]


def forgotten_subjects(services: Services, enrollment: Enrollment) -> set[str]:
    """Raw ids of the subjects of those requests, of the model's kind; never leaves a task."""
    found, kind = forgotten_by(services, enrollment), enrollment.dataset.subject_kind
    return {
        subject
        for one in found
        for subject in batches.subjects_by_record(services, one.batch, kind, one.records).values()
    }


def note_forgotten(services: Services, batch: str, enrollment: Enrollment) -> None:
    """Record which requests of the batch other attempts on this model speak for, once each.

    Those are earlier ones whose rows are still there, and those of batches that asked for the same
    people and erased them while this one waited.
    """
    meanwhile = _forgotten_meanwhile(services, batch, enrollment)
    spoken_for: dict[tuple[str, str], set[str]] = {}
    for one in (*forgotten_by(services, enrollment), *meanwhile):
        if one.batch != batch:
            known = spoken_for.setdefault((one.batch, one.attempt), set())
            known.update(one.also_in(services, batch))
    for (other, attempt), records in spoken_for.items():
        if records:
            facts = ForgottenEarlier(
                model=enrollment.model,
                batch=other,
                attempt=attempt,
                records=tuple(sorted(records)),
            )
            event_id = ids.forgotten_earlier(enrollment.model, attempt)
            services.journal.append(batch_stream(batch), event_id, facts)


def _forgotten_meanwhile(
    services: Services, batch: str, enrollment: Enrollment
) -> Iterator[Forgotten]:
    """What batches made the model forget, and erased, that had not ended when this one began."""
    began = read_batch(services.journal, batch).began_at
    history = read_model(services.journal, enrollment.model)
    for event in history.promoted.values():
        other, attempt = event.facts.batch, event.facts.attempt
        was_open = history.settled.get(other, event.at) > began or other not in history.settled
        is_meant = was_open and other != batch and other in history.finished
        if is_meant and attempt in read_batch(services.journal, other).attempts:
            records = _planned(services, other, attempt) - _unanswered(services, other, attempt)
            yield Forgotten(other, attempt, records)


def note_settled(services: Services) -> None:
    """Record, once, which batches left no row in a table that a model has forgotten.

    Nobody asks them again: else whoever asks what a model forgot would read every batch for ever.
    """
    for enrollment in enrolled_models(services.journal):
        found = _all_forgotten(services, enrollment.model)
        left = {one.batch for one in found if one.records}
        for batch in dict.fromkeys(one.batch for one in found if one.batch not in left):
            stream = model_stream(enrollment.model)
            services.journal.append(stream, ids.settled(batch), ForgettingSettled(batch=batch))


def _all_forgotten(services: Services, model: str) -> list[Forgotten]:
    attempts = read_model(services.journal, model).forgotten
    return [
        Forgotten(batch, attempt, _unanswered(services, batch, attempt))
        for attempt, batch in attempts.items()
    ]


def _unanswered(services: Services, batch: str, attempt: str) -> frozenset[str]:
    """Records of the batch, as it was when the attempt was planned, that no table has lost yet."""
    if _is_erased(services, batch):
        return frozenset()
    records = _planned(services, batch, attempt)
    heads = services.journal.latest(records)
    return frozenset(records - {name for name, event in heads.items() if not is_open(event.status)})


def _planned(services: Services, batch: str, attempt: str) -> frozenset[str]:
    """Records of the batch as it was when the attempt was planned."""
    planned = read_batch(services.journal, batch).attempts[attempt].planned_in
    return frozenset(d.record_id for d in batches.accepted(services, batch, at=planned))


def _is_erased(services: Services, batch: str) -> bool:
    """Whether the batch was closed for everybody, by itself or by the one that took it over."""
    while batch:
        history = read_batch(services.journal, batch)
        # What a hold kept out of it waits for another batch.
        if history.withheld or "on_hold" in history.counts:
            return False
        if history.is_closed:
            return True
        batch = history.superseded_by
    return False
