"""Which tables and versions of them a model's weights were ever recorded to have learned from."""

from dataclasses import dataclass, field, replace

from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.events.models import FormerRowsErased, SnapshotLost, TableClosed
from unlearning.policy.subject_kinds import SubjectColumn


@dataclass(frozen=True, slots=True)
class Tie:
    """A version of a table from which weights learned."""

    dataset: DatasetSpec
    version: int
    fingerprint: str
    """Digest of the version's file names; empty if an early release recorded none."""
    digest: str
    """The weights that were trained on it; updates of them have other digests."""
    at: str = ""
    """When that was recorded, ISO 8601 in UTC."""
    has_roster: bool = False
    """Whether its rows were written down (`tasks.subjects.rosters`)."""

    @property
    def snapshot(self) -> str:
        """Name of the version: table@version."""
        return f"{self.dataset.uri}@{self.version}"


def tie_of(enrollment: Enrollment, *, at: str = "") -> Tie:
    """The snapshot of the model's present enrolment."""
    e = enrollment
    return Tie(e.dataset, e.dataset_version, e.fingerprint, e.digest, at, e.has_roster)


@dataclass(slots=True)
class TiesHistory:
    """What a model's weights learned from, by digest; an enrolment adds to it, and takes nothing.

    Weights keep what they learned, wherever they are enrolled later. An update keeps what its
    parent learned; a retrain has learned from the snapshot that it read, and from nothing else.
    """

    by_digest: dict[str, list[Tie]] = field(default_factory=dict)
    columns: dict[str, SubjectColumn] = field(default_factory=dict)
    """The subject column of every table that it was ever enrolled with, holdouts too."""
    others: dict[str, set[SubjectColumn]] = field(default_factory=dict)
    """Subject columns of a table that another took the place of before anybody closed it."""
    kinds: set[str] = field(default_factory=set)
    """Kinds of subjects in all these tables, also in closed ones."""
    closed: dict[str, TableClosed] = field(default_factory=dict)
    """Tables that somebody closed by name: they are searched no more."""

    former: list[FormerRowsErased] = field(default_factory=list)
    """Erasures of rows that earlier weights had learned."""

    lost: SnapshotLost | None = None
    """What cannot be read any more of the rows that the present weights learned."""

    @property
    def open_columns(self) -> dict[str, SubjectColumn]:
        """The subject column of every table that is to be searched."""
        return {uri: column for uri, column in self.columns.items() if uri not in self.closed}

    @property
    def on_record(self) -> dict[str, set[SubjectColumn]]:
        """Every subject column of such a table, those in whose place others came included."""
        return {uri: {one, *self.others.get(uri, ())} for uri, one in self.open_columns.items()}

    def of(self, digest: str) -> list[Tie]:
        """What these weights learned from; that a table was closed takes nothing of it back."""
        return list(self.by_digest.get(digest, []))

    def digests_on(self, uri: str) -> set[str]:
        """Weights that learned from this table."""
        return {
            digest
            for digest, ties in self.by_digest.items()
            if any(one.dataset.uri == uri for one in ties)
        }

    def enrolled(self, enrollment: Enrollment, before: Enrollment | None, at: str) -> None:
        """The model is enrolled, for the first time or anew."""
        for uri in enrollment.tables:
            self._named(uri, enrollment.dataset.who)
        self.kinds.add(enrollment.dataset.subject_kind)
        known = self.by_digest.setdefault(enrollment.digest, [])
        tie = tie_of(enrollment, at=at)
        is_same = before is not None and before.digest == enrollment.digest
        places = {one.snapshot for one in known}
        if tie.snapshot not in places | ({before.snapshot} if before and is_same else set()):
            known.append(tie)

    def _named(self, uri: str, column: SubjectColumn) -> None:
        """The table is one of the model's, and this is its subject column."""
        others = set[SubjectColumn]() if uri in self.closed else self.on_record.get(uri, set())
        self.others[uri] = others - {column}
        self.columns[uri] = column
        self.closed.pop(uri, None)

    def updated(self, before: str, digest: str) -> None:
        """Weights were made from others, which they resemble in what they learned."""
        self.by_digest[digest] = list(self.by_digest.get(before, []))

    def retrained(self, enrollment: Enrollment, digest: str, at: str, *, has_roster: bool) -> None:
        """Weights were trained afresh on the model's snapshot."""
        tie = replace(tie_of(enrollment, at=at), digest=digest, has_roster=has_roster)
        self.by_digest[digest] = [tie]
        self.lost = None

    def moved(self, before: Enrollment, after: Enrollment) -> None:
        """An erasure, or a restore, left the rows of the model's snapshot in another version.

        Without a roster this is all that is known of them, as early releases took it.
        """
        known = self.by_digest.get(before.digest, [])
        old = (before.dataset.uri, before.dataset_version)
        self.by_digest[before.digest] = [
            replace(one, version=after.dataset_version, fingerprint=after.fingerprint)
            if (one.dataset.uri, one.version) == old and not one.has_roster
            else one
            for one in known
        ]
