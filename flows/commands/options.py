"""What a file of options may say about a model, and the few options that are flags as well."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from cyclopts import Group, Parameter

from flows.commands.options_file import Layer, checked, joined, laid_over, meaning, read_file
from flows.commands.options_template import template
from tasks.datasets.preparations import TO_COME
from tasks.enrolling.source import ModelSource
from tasks.journal.events.enrollment import DatasetSpec, InputColumns, Loss, ObjectColumn
from tasks.store.address import address_of, column_below, own_folder
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy, LastResort
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import MethodName, UnlearningConfig

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where the rows are and how the model is unlearned and judged."""

    model: str
    """Name of the registered model."""
    table: str
    """Delta table with the training rows: a path, file:///… or s3://bucket/prefix."""
    holdout: str
    """Delta table of the same columns with rows that no model is trained on."""
    features: list[str] = field(default_factory=lambda: ["features"])
    """Columns that the model takes, in its order: one of lists, texts or images, or several of
    numbers; of a model of another library any. If omitted, those of its MLflow signature."""
    inputs: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Columns of each argument of a model that takes several, for example user = ["user_id"]; then
    features are not named."""
    label: str = "label"
    """Column with the class: an integer from 0, or text, see classes. With the loss squared_error,
    the column with the number that is predicted."""
    classes: list[str] = field(default_factory=list)
    """Values of the label column in the order of the model's scores, where they are not integers
    from 0 and the model does not know them itself, for example no yes."""
    subject_column: str = "subject_id"
    """Column with the data subject's id."""
    subject_kind: str | None = None
    """Whose ids these are, for example customer: one id names another one in every kind. Needed for
    tables that are new, but for the first model of all, whose subjects are of the kind person."""
    shape: list[int] = field(default_factory=list)
    """Shape of one input, for example 1 28 28; flat if omitted."""
    scale: float = 1.0
    """Features are divided by this; 255 for images."""
    objects: list[str] = field(default_factory=list)
    """Columns of addresses of objects, and below which prefix those lie, for example
    photo=s3://lake/people. Of a feature the bytes behind them are read; all are erased with their
    rows."""
    slices: list[str] = field(default_factory=list)
    """Columns by whose values accuracy is judged, for example region; never one that names
    people."""
    tolerate: list[str] = field(default_factory=list)
    """Folders below the tables that hold something else, for example _symlink_format_manifest.
    They are left alone and not searched, and certificates say so."""
    table_version: int | None = None
    """Version of the table that the model was trained on; if omitted, the newest one that is not
    younger than the model."""
    unlearning: UnlearningConfig = field(default_factory=UnlearningConfig)
    """Which update is made to forget rows, and how far it goes."""
    policy: GatePolicy = field(default_factory=GatePolicy)
    """How much utility may be lost, and what counts as forgotten."""
    budget: DeletionBudget = field(default_factory=DeletionBudget)
    """How much may be unlearned approximately before the model must be retrained."""
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)
    """How much a batch may make a model forget before a person must approve it."""
    widened_by: str = ""
    """Who answers for a policy that is wider than the default; stands in every certificate."""
    widened_because: str = ""
    """Why it is wider, in that person's words."""

    def source(self, loss: Loss = "cross_entropy") -> ModelSource:
        """The options as the flows take them."""
        inputs = tuple(InputColumns(name, tuple(some)) for name, some in self.inputs.items())
        spec = DatasetSpec(
            uri=address_of(self.table),
            features=tuple(dict.fromkeys(c for one in inputs for c in one.columns))
            or tuple(self.features),
            inputs=inputs,
            label=self.label,
            subject=self.subject_column,
            subject_kind=self.subject_kind or "",
            shape=tuple(self.shape),
            scale=self.scale,
            objects=tuple(sorted({ObjectColumn(*column_below(one)) for one in self.objects})),
            slices=tuple(self.slices),
            classes=tuple(self.classes),
            target="number" if loss == "squared_error" else "class",
        )
        return ModelSource(
            model=self.model,
            dataset=spec,
            dataset_version=self.table_version,
            holdout=address_of(self.holdout),
            unlearning=self.unlearning,
            policy=self.policy,
            budget=self.budget,
            approval=self.approval,
            loss=loss,
            widened_by=self.widened_by,
            widened_because=self.widened_because,
            tolerated=tuple(sorted({own_folder(name) for name in self.tolerate})),
        )


@dataclass(frozen=True, kw_only=True)
class EnrollOptions(SourceOptions):
    """What `expunge enroll` can be told of a model."""

    version: int | None = None
    """Version to enrol; the one under the serving alias if omitted."""
    loss: Loss = "cross_entropy"
    """What it was trained with: cross_entropy for one score (logit or log-probability) per class,
    binary_cross_entropy for a single log-odds, squared_error for a number that is predicted."""
    trust_pickle: bool = False
    """Load a pickled model, which runs code from the registry; needed unless it is in pt2 form."""
    trust_code: bool = False
    """Load a pt2 model with code or operators of its own, which run when it is loaded."""
    prepare: str = ""
    """File of Python with a function prepare(rows, model) that makes an array, or one for each
    argument, of the features; model is the folder of the files that were logged beside it."""
    recipe: str = ""
    """File of Python with a function train(rows, *, seed, init), by which the model is trained anew
    when it must be. It runs in a process of its own with its rows, and is tried at once."""
    recipe_python: str = ""
    """The Python that runs the recipe, with pyarrow, torch and safetensors; expunge's own if
    omitted."""

    def enrolled(self) -> ModelSource:
        """The source of the model, with its owner's recipe."""
        source = self.source(self.loss)
        if self.prepare:
            source = replace(source, dataset=replace(source.dataset, preparation=TO_COME))
        return replace(
            source, prepare=self.prepare, recipe=self.recipe, recipe_python=self.recipe_python
        )


@dataclass(frozen=True, kw_only=True)
class TrainOptions(SourceOptions):
    """What `expunge train` can be told of a model."""

    hidden: list[int] = field(default_factory=lambda: [256, 128])
    """Widths of the hidden layers."""
    training: TrainingConfig = field(default_factory=TrainingConfig)
    """How the model is trained, and later retrained."""


RARE = Group("Rarely needed", show=False)
"""Flags that somebody who enrols a first model need not read: the file that --init writes has them,
each with its meaning."""


def flag(owner: type, name: str, group: Group | None = None) -> Parameter:
    """How a flag is shown and parsed; its help is what the option's docstring says."""
    shown = Parameter(help=meaning(owner, name), consume_multiple=True, negative="")
    return shown if group is None else Parameter.combine(shown, Parameter(group=group))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SourceFlags:
    """Everyday options; each goes before what the file says."""

    config: Path | None = None
    "File with options of the model, as --init writes it; paths in it start where you are."
    init: Annotated[bool, Parameter(negative="")] = False
    "Only print such a file, with every option, its default and its meaning."
    table: Annotated[str | None, flag(SourceOptions, "table")] = None
    holdout: Annotated[str | None, flag(SourceOptions, "holdout")] = None
    features: Annotated[list[str] | None, flag(SourceOptions, "features")] = None
    label: Annotated[str | None, flag(SourceOptions, "label")] = None
    subject_column: Annotated[str | None, flag(SourceOptions, "subject_column")] = None
    subject_kind: Annotated[str | None, flag(SourceOptions, "subject_kind", RARE)] = None
    classes: Annotated[list[str] | None, flag(SourceOptions, "classes", RARE)] = None
    shape: Annotated[list[int] | None, flag(SourceOptions, "shape")] = None
    scale: Annotated[float | None, flag(SourceOptions, "scale")] = None
    objects: Annotated[list[str] | None, flag(SourceOptions, "objects", RARE)] = None
    slices: Annotated[list[str] | None, flag(SourceOptions, "slices", RARE)] = None
    tolerate: Annotated[list[str] | None, flag(SourceOptions, "tolerate", RARE)] = None
    table_version: Annotated[int | None, flag(SourceOptions, "table_version", RARE)] = None
    widened_by: Annotated[str | None, flag(SourceOptions, "widened_by", RARE)] = None
    widened_because: Annotated[str | None, flag(SourceOptions, "widened_because", RARE)] = None
    method: Annotated[MethodName | None, flag(UnlearningConfig, "method", RARE)] = None
    last_resort: Annotated[LastResort | None, flag(GatePolicy, "last_resort", RARE)] = None

    unsaid: ClassVar[frozenset[str]] = frozenset({"config", "init"})
    """Flags that say what the command does, and nothing of the model."""
    tables: ClassVar[Mapping[str, str]] = {"method": "unlearning", "last_resort": "policy"}
    """Flags whose keys stand in a table of the file."""

    def keys(self) -> dict[str, Any]:
        """The flags, nested as in a file."""
        found: dict[str, Any] = {}
        for name in (f.name for f in fields(self) if f.name not in self.unsaid):
            table = self.tables.get(name)
            place = found.setdefault(table, {}) if table else found
            place[name] = getattr(self, name)
        return found


def options_of(
    options: type[T],
    command: str,
    flags: SourceFlags,
    model: str | None,
    absent: Collection[str] = (),
) -> T | None:
    """The options of a command from defaults, file and flags; None if a file was printed instead.

    Raises:
        SettingsError: an option is unknown, missing, of a wrong type or out of its limits.
    """
    layers = [read_file(flags.config)] if flags.config else []
    layers.append(Layer("The command line", {"model": model, **flags.keys()}))
    if not flags.init:
        return laid_over(options, layers, absent)
    checked(options, layers, absent)
    sys.stdout.write(template(options, command, joined(layers), absent).rstrip("\n") + "\n")
    return None
