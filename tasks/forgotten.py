"""What a model's present weights have forgotten already while the rows still lie in the table.

A batch may be promoted in one model and blocked by another. Its rows stay where they are, its
requests join a later batch, and until they are erased nothing may teach that model those rows
again, nor ask it to forget them twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tasks import batches, journal
from tasks.enrollment import Enrollment, stream
from tasks.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A batch whose rows the model forgot and no table has lost yet."""

    batch: str
    attempt: str
    """Key of the attempt that was promoted."""

    def records(self, store: ObjectStore, batch: str) -> list[str]:
        """Records of another batch whose subjects this one had, too."""
        subjects = {d.subject for d in batches.accepted(store, self.batch)}
        return sorted(d.record_id for d in batches.accepted(store, batch) if d.subject in subjects)


def forgotten_by(store: ObjectStore, enrollment: Enrollment) -> list[Forgotten]:
    """Batches that the weights in service have forgotten and whose rows are still there.

    Weights of another origin, enrolled since, have forgotten nothing.
    """
    lineage: list[Forgotten] = []
    digest = ""
    for event in journal.read(store, stream(enrollment.model)):
        if event.name == "ModelEnrolled" and event.facts["digest"] != digest:
            lineage, digest = [], event.facts["digest"]
        elif event.name == "ChampionPromoted":
            digest = event.facts["digest"]
            if "batch" in event.facts:  # promotions of older releases do not say for whom
                lineage.append(Forgotten(event.facts["batch"], event.facts["attempt"]))
    return [one for one in lineage if not _is_erased(store, one.batch)]


def forgotten_subjects(store: ObjectStore, enrollment: Enrollment) -> set[str]:
    """Raw ids of the subjects in those batches; never leaves a task."""
    found = forgotten_by(store, enrollment)
    return {subject for one in found for subject in batches.subjects(store, one.batch)}


def note_forgotten(store: ObjectStore, batch: str, enrollment: Enrollment) -> None:
    """Record which requests of the batch earlier attempts on this model speak for, once each."""
    for one in forgotten_by(store, enrollment):
        records = [] if one.batch == batch else one.records(store, batch)
        if records:
            facts = {
                "model": enrollment.model,
                "batch": one.batch,
                "attempt": one.attempt,
                "records": records,
            }
            key = f"{enrollment.model}/before/{one.attempt}"
            name = batches.stream(batch)
            journal.append(store, journal.Entry(name, key, "ForgottenBefore", facts))


def _is_erased(store: ObjectStore, batch: str) -> bool:
    """Whether the batch was closed for good, by itself or by the one that took it over."""
    while True:
        events = journal.read(store, batches.stream(batch))
        if any(e.name == "BatchClosed" for e in events):
            return True
        heir = next(_heirs(events), None)
        if heir is None:
            return False
        batch = heir


def _heirs(events: list[journal.Event]) -> Iterator[str]:
    return (e.facts["by"] for e in events if e.name == "BatchSuperseded")
