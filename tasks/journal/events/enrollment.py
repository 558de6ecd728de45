"""What is known of a model: its tables, how it is unlearned and judged, what it forgot."""

from dataclasses import dataclass, field, replace
from typing import Literal

from tasks.store.address import canonical
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.model_interface import ModelInterface
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.budget import Deletions
from unlearning.policy.digests import SHORT, bytes_digest
from unlearning.policy.subject_kinds import PERSON, SubjectColumn

Loss = Literal["cross_entropy", "binary_cross_entropy", "squared_error"]
"""What the model was trained with: one score per class, one log-odds of class 1, or a number."""
Target = Literal["class", "number"]


@dataclass(frozen=True, slots=True, order=True)
class InputColumns:
    """What goes into one argument of a model."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class ObjectColumn:
    """A column that holds the address of an object for each row, and the prefix of all of them."""

    column: str
    prefix: str


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Where a model's training rows are and how they become inputs and labels."""

    uri: str
    features: tuple[str, ...]
    """One list column, any number of numeric columns in the model's order, or one of texts."""
    label: str
    subject: str
    shape: tuple[int, ...] = ()
    """Shape of one input; empty means flat."""
    scale: float = 1.0
    """Features are divided by this (255 for images)."""
    slices: tuple[str, ...] = ()
    """Columns of strings, integers or booleans by whose values utility is judged; not `subject`."""
    subject_kind: str = PERSON
    """Kind of subjects that `subject` names; empty until enrolment settles it."""
    classes: tuple[str, ...] = ()
    """Values of the label column as text, in the order of the model's scores; empty where they are
    integers from 0."""
    types: tuple[str, ...] = ()
    """Arrow types of the features, where the model takes rows as the table has them
    (`tasks.registry.opaque.cells`); empty where it takes numbers."""
    target: Target = "class"
    """Whether the label is a class, or a number to be predicted."""
    tokenizer: str = ""
    """Key of the tokenizer that makes token ids of the one column of texts; empty if there is
    none."""
    inputs: tuple[InputColumns, ...] = ()
    """The columns of each argument, where the model takes several; their numbers make up a row in
    this order."""
    preparation: str = ""
    """Key of its owner's code that makes numbers of the features; empty: they are numbers."""
    whole: tuple[str, ...] = ()
    """Feature columns of whole numbers, such as ids of words, that the model takes as they are."""

    objects: tuple[ObjectColumn, ...] = ()
    """Columns of addresses: a feature among them stands for the bytes of its objects, and all are
    erased with their rows."""

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Where the objects of its rows lie."""
        return tuple(one.prefix for one in self.objects)

    def is_address(self, column: str) -> bool:
        """Whether a column holds addresses of objects."""
        return any(one.column == column for one in self.objects)

    @property
    def who(self) -> SubjectColumn:
        """The subject column with its kind."""
        return SubjectColumn(self.subject, self.subject_kind)


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One model: its current version, the rows it was trained on, how it is unlearned and gated."""

    model: str
    version: int
    digest: str
    dataset: DatasetSpec
    dataset_version: int
    row_count: int
    holdout: str
    unlearning: UnlearningConfig
    policy: GatePolicy
    deletions: Deletions
    """What was unlearned since the model was last trained exactly."""
    budget: DeletionBudget = field(default_factory=DeletionBudget)
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    loss: Loss = "cross_entropy"
    trust_pickle: bool = False
    """Whether loading a pickle was trusted, which runs code of the registry."""
    trust_code: bool = False
    """Whether code and operators that an exported model brings were trusted."""
    is_withdrawn: bool = False
    """Whether it was taken out of service, since it cannot forget or what forgot is lost."""
    fingerprint: str = ""
    """Digest of the snapshot's file names (`tasks.subjects.reappearance`)."""
    shared_subjects: int = 0
    """People who had rows in training and holdout table when it was enrolled."""
    shared_rows: int = 0
    """Holdout rows that were the same as a training row then, whoever's it is."""
    widened_by: str = ""
    """Who answers for a gate that is wider than the default or than one that rejected a candidate;
    empty if it is no wider."""
    widened_because: str = ""
    """Why, in that person's words."""
    wider_than_rejecting: tuple[str, ...] = ()
    """Where the gate is wider than one that had rejected a candidate of the model."""
    relearned: str = ""
    """Key of the erased subjects in rows that it learned all the same; empty if there are none."""
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the version's files by path; empty if an older release recorded none."""
    tolerated: tuple[str, ...] = ()
    """Folders below its tables that hold what is not theirs, and that are left alone."""
    interface: ModelInterface = field(default_factory=ModelInterface)
    """How rows go into the model and what its answer means."""
    recipe: str = ""
    """Key of its owner's recipe, by which it is trained anew; empty: as `unlearning` says."""
    recipe_python: str = ""
    """The Python that runs the recipe; the one that runs expunge if empty."""

    def canonical(self) -> "Enrollment":
        """The same with its addresses in their one spelling, however they were recorded."""
        dataset = replace(self.dataset, uri=canonical(self.dataset.uri))
        return replace(self, dataset=dataset, holdout=canonical(self.holdout))

    has_roster: bool = False
    """Whether it was written down whose rows it learned (`tasks.subjects.rosters`)."""

    @property
    def snapshot(self) -> str:
        """Name of the training snapshot: table@version."""
        return f"{self.dataset.uri}@{self.dataset_version}"

    @property
    def tables(self) -> list[str]:
        """Every table that may hold rows of a subject of this model."""
        return [self.dataset.uri, self.holdout]

    @property
    def places(self) -> list[str]:
        """Its tables, and where objects of their rows lie."""
        return [*self.tables, *self.dataset.prefixes]

    @property
    def ledger_key(self) -> str:
        """Where the gradient ledger of this version over this snapshot lies."""
        return f"ledgers/{self.digest}/{bytes_digest(self.snapshot.encode())[:SHORT]}"
