"""Which tables and versions of them a model's weights were ever recorded to have learned from."""

from dataclasses import dataclass, field

from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.events.models import FormerRowsErased, TableClosed
from unlearning.policy.subject_kinds import SubjectColumn


@dataclass(frozen=True, slots=True)
class Tie:
    """A version of a table from which weights learned."""

    dataset: DatasetSpec
    version: int
    fingerprint: str
    """Digest of the version's file names; empty if an early release recorded none."""

    @property
    def snapshot(self) -> str:
        """Name of the version: table@version."""
        return f"{self.dataset.uri}@{self.version}"


def tie_of(enrollment: Enrollment) -> Tie:
    """What the model's present enrolment says it learned from."""
    return Tie(enrollment.dataset, enrollment.dataset_version, enrollment.fingerprint)


@dataclass(slots=True)
class TiesHistory:
    """What a model's weights learned from, by digest; an enrolment adds to it, and takes nothing.

    Weights keep what they learned, wherever they are enrolled later. An update keeps what its
    parent learned; a retrain has learned from the snapshot that it read, and from nothing else.
    """

    by_digest: dict[str, list[Tie]] = field(default_factory=dict)
    columns: dict[str, SubjectColumn] = field(default_factory=dict)
    """The subject column of every table that it was ever enrolled with, holdouts too."""
    closed: dict[str, TableClosed] = field(default_factory=dict)
    """Tables that somebody closed by name: they are searched no more."""

    former: list[FormerRowsErased] = field(default_factory=list)
    """Erasures of rows that earlier weights had learned."""

    @property
    def open_columns(self) -> dict[str, SubjectColumn]:
        """The subject column of every table that is to be searched."""
        return {uri: column for uri, column in self.columns.items() if uri not in self.closed}

    def of(self, digest: str) -> list[Tie]:
        """What these weights learned from, but for tables that were closed."""
        return [one for one in self.by_digest.get(digest, []) if one.dataset.uri not in self.closed]

    def digests_on(self, uri: str) -> set[str]:
        """Weights that learned from this table."""
        return {
            digest
            for digest, ties in self.by_digest.items()
            if any(one.dataset.uri == uri for one in ties)
        }

    def enrolled(self, enrollment: Enrollment) -> None:
        """The model is enrolled, for the first time or anew."""
        for uri in enrollment.tables:
            self.columns[uri] = enrollment.dataset.who
            self.closed.pop(uri, None)
        self._add(enrollment.digest, tie_of(enrollment))

    def promoted(self, before: Enrollment, digest: str, *, is_retrained: bool) -> None:
        """A version made from the enrolled one serves."""
        known = [tie_of(before)] if is_retrained else self.by_digest.get(before.digest, [])
        self.by_digest[digest] = list(known)

    def moved(self, enrollment: Enrollment) -> None:
        """The weights' snapshot is another version of their table from here on."""
        self._add(enrollment.digest, tie_of(enrollment))

    def _add(self, digest: str, tie: Tie) -> None:
        known = self.by_digest.setdefault(digest, [])
        if tie not in known:
            known.append(tie)
