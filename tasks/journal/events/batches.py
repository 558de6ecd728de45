"""What happens to one batch, from its freezing to its end, but for its attempts."""

from dataclasses import dataclass

from tasks.journal.events.halts import HaltFact
from tasks.journal.events.objects import ObjectFact
from tasks.journal.events.preflight import Preflight
from tasks.journal.events.reduction import Reducing
from tasks.journal.events.statements import StatementFact
from tasks.journal.events.withheld import LeavingFact


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFrozen:
    """Its files and released requests are fixed."""

    file_count: int
    released_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchValidated:
    """Every record of it was judged."""

    counts: dict[str, int]
    """Records by outcome."""
    report: str
    """Key of the validation report."""
    code_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsResolved:
    """Its subjects were looked for in the tables."""

    tables: int
    rows: int
    located: int
    not_found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchClosed:
    """Nobody is looked for any more: certificates state the search as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRequested:
    """People were asked."""

    preflight: Preflight


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRetracted:
    """The question was taken back: the batch as it is now needs no answer."""

    preflight: str
    """Digest of the plans that were asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What a person decided about a preflight."""

    name: str
    reason: str
    preflight: str
    """Digest of the plans that it holds for."""
    number: int
    """Number of the question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchApproved(_Answer):
    """A person said yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRejected(_Answer):
    """A person said no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsTold:
    """An answer was carried over to the batch's requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionIntended:
    """Its subjects are about to be put on the suppression list."""

    list: str
    """Key of its part of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectsSuppressed:
    """Its subjects stand on the suppression list."""

    list: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureIntended:
    """Its rows are about to be deleted from a table."""

    table: str
    version_before: int
    rows_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsErased:
    """Its rows are deleted from a table: the row arithmetic of one round."""

    table: str
    version_before: int
    rows_before: int
    rows_matched: int
    rows_appended: int
    version_after: int
    rows_after: int
    rows_matched_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeIntended:
    """Files that held its rows are about to be removed."""

    table: str
    files_found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesPurged:
    """Nothing in the table's folder tells of its rows any more: the search of one round."""

    table: str
    files_removed: int  # old files that were found before, and are gone, whoever removed them
    leftover_files: int
    objects_searched: int
    bytes_searched: int
    ids_searched: int
    ids_searched_as_words: int
    hits: int
    version: int
    rows: int
    not_searched: tuple[str, ...] = ()  # folders below it with objects of others, left alone
    uncommitted: int = 0  # data files that no log entry named, left to their writers and searched


@dataclass(frozen=True, slots=True, kw_only=True)
class TableGone:
    """A table in which it found rows is no more, and no model is enrolled on it."""

    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelUntouched:
    """A model has none of its rows in it."""

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingLeftToForget:
    """A model has forgotten all of its rows in earlier batches."""

    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgottenEarlier:
    """An earlier batch made a model forget rows of these requests of this batch."""

    model: str
    batch: str
    attempt: str
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutOfService:
    """A model of the table was out of service before: its weights may remember the rows."""

    model: str
    dataset: str
    parent_version: int
    parent_digest: str
    withdrawn_by: str
    """The batch that withdrew it; empty if it lost its alias otherwise."""
    taken_out_by: str = ""
    """Who took it out, so that it may still serve, when and why; empty if nobody did."""
    taken_out_on: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierVersionsStated:
    """Certificates say until when a model's earlier versions exist, as of this event of its."""

    model: str
    as_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSuperseded:
    """Another batch took over every open request of it."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClosed:
    """Every request of it is answered."""


Answer = BatchApproved | BatchRejected
TableFact = ErasureIntended | RowsErased | PurgeIntended | FilesPurged | TableGone
OwnBatchFact = (
    BatchFrozen
    | BatchValidated
    | LeavingFact
    | RowsResolved
    | SearchClosed
    | ApprovalRequested
    | QuestionRetracted
    | Answer
    | RequestsTold
    | SuppressionIntended
    | SubjectsSuppressed
    | TableFact
    | ObjectFact
    | ModelUntouched
    | NothingLeftToForget
    | ForgottenEarlier
    | ModelOutOfService
    | EarlierVersionsStated
    | StatementFact
    | HaltFact
    | BatchSuperseded
    | BatchClosed
    | Reducing
)
"""What happens to a batch outside its attempts."""
