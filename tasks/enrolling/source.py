"""What a model is enrolled with: the rows it learned from, and how it is unlearned and judged."""

from dataclasses import dataclass, field, replace

from tasks.datasets.rows import check_columns
from tasks.enrolling.objects import refuse_unfit_objects
from tasks.enrolling.subject_kinds import settled_kind
from tasks.journal.events.enrollment import DatasetSpec, Loss
from tasks.journal.reading import columns_on_record, object_columns, tolerated_folders
from tasks.registry.services import Services
from tasks.store.address import canonical
from tasks.tables.delta import keep_ids_out_of_log, open_table
from tasks.tables.readiness import refuse_unready
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError, SettingsError


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Which rows a model learns from or learned from, and how it is unlearned and judged."""

    model: str
    dataset: DatasetSpec
    dataset_version: int | None
    holdout: str
    unlearning: UnlearningConfig
    policy: GatePolicy
    budget: DeletionBudget = field(default_factory=DeletionBudget)
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    loss: Loss = "cross_entropy"
    widened_by: str = ""
    """Who answers for a gate that is wider than the default (`tasks.enrolling.widening`)."""
    widened_because: str = ""
    tolerated: tuple[str, ...] = ()
    """Folders below the tables that hold what is not theirs, each with a slash at its end."""

    prepare: str = ""
    """File with its owner's preparation of rows; empty if columns are given as they are."""
    recipe: str = ""
    """File with its owner's recipe, by which it is trained anew; empty if there is none."""
    recipe_python: str = ""
    """The Python that runs the recipe; the one that runs expunge if empty."""

    def retrained_as(self, config: TrainingConfig) -> "ModelSource":
        """The source of a model that is retrained, when it must be, as it was trained."""
        return replace(self, unlearning=replace(self.unlearning, retraining=config))


def pinned(services: Services, source: ModelSource) -> ModelSource:
    """The source at a fixed table version, its columns checked, its log kept free of ids.

    Whose ids they are is settled, too (`tasks.enrolling.subject_kinds`).

    Raises:
        DataError: columns are missing, or rows or objects could not be erased for good.
    """
    source = placed(source)
    refuse_training_holdout(source)
    source = with_kind(services, source)
    refuse_other_subjects(services, source)
    check_columns(services.settings, source.dataset, source.dataset_version, source.holdout)
    refuse_unfit_objects(services, source.dataset, source.holdout)
    for uri in (source.dataset.uri, source.holdout):
        refuse_unready_table(services, source, uri)
        keep_ids_out_of_log(
            open_table(services.settings, uri),
            source.dataset.subject,
            address_columns(services, source, uri),
        )
    if source.dataset_version is not None:
        return source
    return replace(
        source, dataset_version=open_table(services.settings, source.dataset.uri).version()
    )


def placed(source: ModelSource) -> ModelSource:
    """The source with the one address of each place, however it was written."""
    spec = source.dataset
    objects = tuple(replace(one, prefix=canonical(one.prefix)) for one in spec.objects)
    place = replace(spec, uri=canonical(spec.uri), objects=objects)
    return replace(source, dataset=place, holdout=canonical(source.holdout))


def refuse_training_holdout(source: ModelSource) -> None:
    """Refuse a holdout that is the training table.

    Raises:
        SettingsError: it is.
    """
    if source.holdout == source.dataset.uri:
        raise SettingsError(
            f"{source.holdout} is the training table; name a holdout of rows that the model "
            "was never trained on, or nothing that is measured means anything.",
            line="--holdout TABLE",
        )


def with_kind(services: Services, source: ModelSource) -> ModelSource:
    """The source with the kind of its subjects; raises as `settled_kind`."""
    kind = settled_kind(services.journal, source.dataset, source.holdout)
    return replace(source, dataset=replace(source.dataset, subject_kind=kind))


def address_columns(services: Services, source: ModelSource, uri: str) -> list[str]:
    """Columns of addresses in one of its tables, those of other models of it among them."""
    found = {*source.dataset.objects, *object_columns(services.journal, uri)}
    return sorted({one.column for one in found})


def refuse_unready_table(
    services: Services, source: ModelSource, uri: str, *, tries: bool = True
) -> None:
    """Refuse one of the tables if rows could not be erased from it for good.

    What it may hold beside its own files is what the source tolerates, or another model of it.
    """
    left_alone = {*source.tolerated, *tolerated_folders(services.journal, uri)}
    refuse_unready(
        services.settings, uri, store_uri=services.store.uri, tolerated=left_alone, tries=tries
    )


def refuse_other_subjects(services: Services, source: ModelSource) -> None:
    """Refuse a subject column that is not the one by which the same table is on record.

    Rows are found by one column alone, so what stands in the first would be found no more; by
    whichever model, this one included. A column that the table has no more may get another name.

    Raises:
        DataError: it is another one, or names subjects of another kind.
    """
    known, mine = columns_on_record(services.journal), source.dataset.who
    for uri in dict.fromkeys((source.dataset.uri, source.holdout)):
        others = known.get(uri, set())
        if not others or mine in others:
            continue
        names = {field.name for field in open_table(services.settings, uri).schema().fields}
        for one in sorted(others):
            if one.name == mine.name or one.name not in names:
                if one.kind == (mine.kind or one.kind):
                    continue
                what, given = f"subjects of the kind {one.kind}", f"--subject-kind {one.kind}"
            else:
                what, given = f"the subject column {one.name!r}", f"--subject-column {one.name}"
            raise DataError(
                f"{uri} was enrolled with {what}, by which erasures find its rows; give {given}, "
                "or enrol no model on it any more and close it with `expunge close-table` first.",
                line=given,
            )
