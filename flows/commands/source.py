"""Options that `train` and `enroll` share: which rows a model was trained on."""

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from tasks.datasets.spec import DatasetSpec
from tasks.enrolling.enroll import ModelSource
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where the rows are and how the model is unlearned and judged."""

    table: str
    "Delta table with the training rows: a path, file:///… or s3://bucket/prefix."
    holdout: str
    "Delta table of the same columns with rows that no model is trained on."
    features: Annotated[list[str], Parameter(consume_multiple=True)] = field(
        default_factory=lambda: ["features"]
    )
    "One list column, or several numeric columns in the model's order."
    label: str = "label"
    "Column with the class, an integer from 0."
    subject: str = "subject_id"
    "Column with the data subject's id."
    shape: Annotated[list[int], Parameter(consume_multiple=True)] = field(default_factory=list)
    "Shape of one input, for example 1 28 28; flat if omitted."
    scale: float = 1.0
    "Features are divided by this; 255 for images."
    slices: Annotated[list[str], Parameter(consume_multiple=True)] = field(default_factory=list)
    "Columns by whose values accuracy is judged, for example region; never one that names people."
    table_version: int | None = None
    "Version of the table that the model was trained on; the newest if omitted."
    unlearning: UnlearningConfig = field(default_factory=UnlearningConfig)
    policy: GatePolicy = field(default_factory=GatePolicy)
    budget: DeletionBudget = field(default_factory=DeletionBudget)
    approval: ApprovalPolicy = field(default_factory=ApprovalPolicy)

    def source(self, model: str) -> ModelSource:
        """The options as the flows take them."""
        spec = DatasetSpec(
            uri=table_uri(self.table),
            features=tuple(self.features),
            label=self.label,
            subject=self.subject,
            shape=tuple(self.shape),
            scale=self.scale,
            slices=tuple(self.slices),
        )
        return ModelSource(
            model=model,
            dataset=spec,
            dataset_version=self.table_version,
            holdout=table_uri(self.holdout),
            unlearning=self.unlearning,
            policy=self.policy,
            budget=self.budget,
            approval=self.approval,
        )


def table_uri(place: str) -> str:
    """The URI of a table that is named by a path or a URI."""
    from pathlib import Path

    return place if "://" in place else Path(place).resolve().as_uri()
