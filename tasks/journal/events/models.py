"""What happens to one enrolled model, in its own stream."""

from dataclasses import dataclass, field

from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.versions import VersionFact
from unlearning.evidence.attack_power import AttackPower
from unlearning.evidence.evidence import AttackName, Pool
from unlearning.policy.ladder import Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEnrolled:
    """It is known with its tables and rules, or anew with others."""

    enrollment: Enrollment
    config_digest: str
    """Digest of all that decides how it is unlearned and judged, as it was recorded: an option that
    a later release adds voids neither plan nor approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedSubjectsLearned:
    """It was trained on rows of subjects who were erased before."""

    relearned: str
    """Key of their pseudonyms."""
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionPromoted:
    """A version that forgot a batch serves."""

    attempt: str
    batch: str
    version: int
    digest: str
    parent_version: int
    forget_count: int
    method: str
    reason: str
    trained_rows: int | None = None
    """Rows that a retrained version learned from; None for an update."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the version's files by path; empty if an older release recorded none."""
    has_roster: bool = False
    """Whether it was written down whose rows a retrained version learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWithdrawn:
    """No version of it serves, since it could not be made to forget a batch."""

    attempt: str
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgettingSettled:
    """Every row that a batch made it forget is gone from the tables."""

    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAdvanced:
    """Rows were erased from its table, so that its snapshot is a newer version of it."""

    dataset_version: int
    row_count: int
    fingerprint: str
    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRestored:
    """Its table was restored or rewritten by others, and its rows are in another version of it."""

    dataset_version: int
    row_count: int
    fingerprint: str
    version_before: int
    erased_rows: int
    """Rows of erased subjects that came back with the copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateMeasured:
    """What a candidate cost and changed, and the batch's part of the pool for later batches."""

    attempt: str
    batch: str
    method: str
    rung: Rung
    config: str
    """Digest of the rules that it was made and judged by."""
    forget_count: int
    row_count: int
    seconds: float
    holdout_change: float
    """Holdout accuracy after it less that before it."""
    attack: AttackName
    own: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What the time of an epoch depends on, besides rows and model."""

    device: str
    batch_size: int
    restriction: str
    derivative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One training that ran in one go."""

    rows: int
    epochs: int
    seconds: float
    conditions: Conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainTimed:
    """An exact retrain of it ended."""

    attempt: str
    timed: Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceModelsStored:
    """Reference models were trained for the attacks on it."""

    references: str
    """Key of their weights."""
    count: int
    version: int
    power: AttackPower
    timed: Timing
    holdout: str = ""  # the table that they learned from; the enrolment's where none is noted
    erasures: int | None = None  # from the holdout before; all until then where none is noted


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldoutErased:
    """Rows were erased from its holdout table: reference models that learned from them are gone."""

    batch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerStored:
    """The gradient ledger of a version was computed."""

    ledger: str
    """Key of the ledger."""
    row_count: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerRowsErased:
    """Rows were erased from a table that earlier weights of it learned from."""

    batch: str
    table: str
    records: tuple[str, ...] | None = None
    """Requests whose rows they learned; None if nobody can tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLost:
    """Others removed its snapshot, and the newest version, which is it now, lacks rows of it."""

    dataset_version: int
    row_count: int
    fingerprint: str
    version_before: int
    missing_rows: int | None
    """Rows of people who were not erased; None if nobody knows, for none were written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableClosed:
    """Somebody says that a table it was once enrolled with is to be searched no more."""

    table: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUnenrolled:
    """Somebody took it out: it is asked no more, and stays on record with all that it learned."""

    name: str
    reason: str


TieFact = FormerRowsErased | SnapshotLost | TableClosed
"""What became of tables that it was ever tied to."""
OriginFact = ModelEnrolled | ErasedSubjectsLearned | ModelUnenrolled
"""What its weights and rows are, and whether it is asked."""
ErasureFact = (
    ChampionPromoted
    | ModelWithdrawn
    | ForgettingSettled
    | SnapshotAdvanced
    | SnapshotRestored
    | HoldoutErased
)
"""What erasures did to it."""
MeasureFact = CandidateMeasured | RetrainTimed | ReferenceModelsStored | LedgerStored
"""What was measured of it."""
ModelFact = OriginFact | ErasureFact | TieFact | MeasureFact | VersionFact
"""What happens to a model."""
