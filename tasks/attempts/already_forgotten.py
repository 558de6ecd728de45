"""What a model's present weights have forgotten already while the rows still lie in the table.

A batch may be promoted in one model and blocked by another, or a hold may take a request out of it
afterwards. Those rows stay where they are, their requests join a later batch, and until they are
erased nothing may teach that model those rows again, nor ask it to forget them twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.intake import batches
from tasks.journal import journal
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
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

    Weights of another origin, enrolled since, have forgotten nothing.
    """
    lineage: list[tuple[str, str]] = []
    digest = ""
    for event in services.journal.read(model_stream(enrollment.model)):
        if event.name == "ModelEnrolled" and event.facts["digest"] != digest:
            lineage, digest = [], event.facts["digest"]
        elif event.name == "ChampionPromoted":
            digest = event.facts["digest"]
            if "batch" in event.facts:  # promotions of older releases do not say for whom
                lineage.append((event.facts["batch"], event.facts["attempt"]))
    found = (
        Forgotten(batch, attempt, _unanswered(services, batch, attempt))
        for batch, attempt in lineage
    )
    return [one for one in found if one.records]


def forgotten_subjects(services: Services, enrollment: Enrollment) -> set[str]:
    """Raw ids of the subjects of those requests; never leaves a task."""
    found = forgotten_by(services, enrollment)
    return {
        subject
        for one in found
        for subject in batches.subjects_by_record(services, one.batch, one.records).values()
    }


def note_forgotten(services: Services, batch: str, enrollment: Enrollment) -> None:
    """Record which requests of the batch earlier attempts on this model speak for, once each."""
    for one in forgotten_by(services, enrollment):
        records = [] if one.batch == batch else one.also_in(services, batch)
        if records:
            facts = {
                "model": enrollment.model,
                "batch": one.batch,
                "attempt": one.attempt,
                "records": records,
            }
            key = f"{enrollment.model}/before/{one.attempt}"
            name = batches.stream(batch)
            services.journal.append(journal.Entry(name, key, "ForgottenBefore", facts))


def _unanswered(services: Services, batch: str, attempt: str) -> frozenset[str]:
    """Records of the batch, as it was when the attempt was planned, that no table has lost yet."""
    if _is_erased(services, batch):
        return frozenset()
    events = services.journal.read(batches.stream(batch))
    planned = max(e.number for e in events if e.id.startswith(f"{attempt}/planned"))
    records = {d.record_id for d in batches.accepted(services, batch, at=planned)}
    heads = services.journal.latest("requests", records)
    return frozenset(records - {name for name, event in heads.items() if not is_open(event.status)})


def _is_erased(services: Services, batch: str) -> bool:
    """Whether the batch was closed for everybody, by itself or by the one that took it over."""
    while True:
        events = services.journal.read(batches.stream(batch))
        if any(_keeps_some(event) for event in events):
            return False
        if any(event.name == "BatchClosed" for event in events):
            return True
        heir = next(_heirs(events), None)
        if heir is None:
            return False
        batch = heir


def _keeps_some(event: journal.Event) -> bool:
    """Whether a hold kept requests out of the batch, which wait for another one."""
    judged = event.facts.get("counts", {}) if event.name == "BatchValidated" else {}
    return event.name == "RequestsWithheld" or "on_hold" in judged


def _heirs(events: list[journal.Event]) -> Iterator[str]:
    return (e.facts["by"] for e in events if e.name == "BatchSuperseded")
