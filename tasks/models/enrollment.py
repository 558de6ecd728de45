"""What expunge knows of each enrolled model, folded from the model's stream of events."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal
from urllib.parse import quote, unquote

from tasks.datasets.spec import DatasetSpec
from tasks.store import journal
from tasks.store.objects import ObjectStore
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError
from unlearning.policy.budget import Deletions
from unlearning.policy.digests import SHORT, bytes_digest

Loss = Literal["cross_entropy", "binary_cross_entropy"]
"""What the model was trained with: one score per class, or one log-odds of class 1."""


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
    is_withdrawn: bool = False
    """Whether it was taken out of service, since it cannot forget or what forgot is lost."""
    fingerprint: str = ""
    """Digest of the snapshot's file names (`tasks.subjects.reappearance`)."""
    relearned: str = ""
    """Key of the erased subjects in rows that it learned all the same; empty if there are none."""

    @property
    def snapshot(self) -> str:
        """Name of the training snapshot: table@version."""
        return f"{self.dataset.uri}@{self.dataset_version}"

    @property
    def tables(self) -> list[str]:
        """Every table that may hold rows of a subject of this model."""
        return [self.dataset.uri, self.holdout]


def stream(model: str) -> str:
    """The model's stream in the journal."""
    return f"models/{quote(model, safe='')}"


def ledger_key(enrollment: Enrollment) -> str:
    """Where the ledger of this version over this snapshot lies."""
    return f"ledgers/{enrollment.digest}/{bytes_digest(enrollment.snapshot.encode())[:SHORT]}"


def record_enrollment(store: ObjectStore, enrollment: Enrollment) -> None:
    """Record a model, or record it anew."""
    name = stream(enrollment.model)
    event_id = f"enrolled/{len(journal.read(store, name)) + 1}"
    journal.append(store, journal.Entry(name, event_id, "ModelEnrolled", asdict(enrollment)))


def read_enrollment(store: ObjectStore, model: str) -> Enrollment:
    """The model as it stands after everything that happened to it.

    Enrolling the same weights again, say with another policy, does not give back any of the budget,
    and does not bring back weights that were withdrawn: they still remember.

    Raises:
        DataError: it was never enrolled.
    """
    current: Enrollment | None = None
    spent: dict[str, Deletions] = {}
    withdrawn: set[str] = set()
    for event in journal.read(store, stream(model)):
        if event.name == "ModelEnrolled":
            current = _from_facts(event.facts)
            current = replace(
                current,
                deletions=spent.get(current.digest, current.deletions),
                is_withdrawn=current.digest in withdrawn,
            )
        elif current is not None and event.name in _CHANGES:
            current = _changed(current, event)
        if current is not None and event.name == "ModelWithdrawn":
            withdrawn.add(current.digest)
        if current is not None and current.deletions.updates:
            spent[current.digest] = current.deletions
    if current is None:
        raise DataError(f"Model {model!r} is not enrolled; run `expunge enroll {model} …` first.")
    return current


_CHANGES = {
    "ChampionPromoted": ("version", "digest"),
    "SnapshotAdvanced": ("dataset_version", "row_count"),
    "SnapshotRestored": ("dataset_version", "row_count"),
    "ModelWithdrawn": (),
    "FloorLost": (),
}


def _changed(current: Enrollment, event: journal.Event) -> Enrollment:
    if event.name in ("ModelWithdrawn", "FloorLost"):
        return replace(current, is_withdrawn=True)
    changes = {k: event.facts[k] for k in _CHANGES[event.name]}
    if "dataset_version" in changes:
        changes["fingerprint"] = event.facts.get("fingerprint", "")
    if event.name == "ChampionPromoted":
        # Promotions of older releases say neither how many rows they took nor how.
        count, method = event.facts.get("forget_count", 0), event.facts.get("method", "")
        # A retrain leaves out rows that earlier batches forgot and that are still in the table.
        trained = event.facts.get("trained_rows", current.row_count - count)
        changes["deletions"] = current.deletions.after(count, method, row_count=trained + count)
    return replace(current, **changes)


def enrolled_models(store: ObjectStore) -> Iterator[Enrollment]:
    """Every enrolled model, in name order."""
    for name, _ in journal.heads(store, "models"):
        yield read_enrollment(store, unquote(name))


def subject_columns(store: ObjectStore) -> dict[str, str]:
    """The subject column of every table of every enrolled model, by the table's URI."""
    return {uri: e.dataset.subject for e in enrolled_models(store) for uri in e.tables}


def _from_facts(facts: dict[str, Any]) -> Enrollment:
    spec = facts["dataset"]
    # Records of older releases know no slices.
    tuples = {name: tuple(spec.get(name, ())) for name in ("features", "shape", "slices")}
    return Enrollment(
        **{
            **facts,
            "dataset": DatasetSpec(**{**spec, **tuples}),
            "unlearning": _unlearning(facts["unlearning"]),
            "policy": _policy(facts["policy"]),
            "budget": DeletionBudget(**facts.get("budget", {})),
            "approval": ApprovalPolicy(**facts.get("approval", {})),
            "deletions": Deletions(**facts.get("deletions", {"trained_rows": facts["row_count"]})),
        }
    )


def _policy(facts: dict[str, Any]) -> GatePolicy:
    """The policy; limits of an older record that no longer exist are left out."""
    known = {field.name for field in fields(GatePolicy)}
    return GatePolicy(**{name: value for name, value in facts.items() if name in known})


def _unlearning(facts: dict[str, Any]) -> UnlearningConfig:
    """The configuration; parts that an older record does not have get their defaults."""
    default = UnlearningConfig()
    nested = {
        name: type(getattr(default, name))(**facts[name])
        for name, value in asdict(default).items()
        if isinstance(value, dict) and name in facts
    }
    return UnlearningConfig(**{**facts, **nested})
