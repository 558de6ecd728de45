"""Enrol a model: check that it fits its tables, and record both."""

import logging
from dataclasses import dataclass, field, replace

import pyarrow.compute as pc
import torch
from torch import nn

from tasks.datasets.rows import check_columns
from tasks.datasets.samples import sample_rows
from tasks.datasets.spec import DatasetSpec
from tasks.models.enrollment import Enrollment, Loss, enrolled_models, record_enrollment, stream
from tasks.registry import mlflow_registry, model_files
from tasks.settings import load_settings
from tasks.store import journal
from tasks.store.objects import ObjectStore
from tasks.subjects import suppression_list
from tasks.subjects.reappearance import Look, known_count, look
from tasks.tables.delta import (
    arrow_dataset,
    count_by_subject,
    keep_ids_out_of_log,
    open_table,
    refuse_links,
)
from tasks.versions.erasure_floor import refuse_remembering
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.training_config import TrainingConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError, SettingsError, UnsupportedModelError
from unlearning.model.forward import fixed_mode, trainable_names
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions

log = logging.getLogger("expunge.models")

_FEW_ROWS = 100


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

    def retrained_as(self, config: TrainingConfig) -> "ModelSource":
        """The source of a model that is retrained, when it must be, as it was trained."""
        return replace(self, unlearning=replace(self.unlearning, retraining=config))


def adopt_version(
    store: ObjectStore, source: ModelSource, version: int | None, *, trust_pickle: bool
) -> Enrollment:
    """Enrol a registered version: check that it fits its table, and record both.

    If erased subjects are back in the rows that it was trained on, it is enrolled with an alarm,
    and forgets them as soon as there are requests (`tasks.subjects.replay`).

    Raises:
        ConflictError: it remembers subjects whose rows were erased since.
        DataError: the alias is not set, or columns are missing.
        UnsupportedModelError: the model cannot be loaded, or its scores do not fit the labels.
    """
    source = pinned(source)
    _check_subject_column(store, source)
    served = mlflow_registry.alias_version(source.model)
    number = served if version is None else version
    if number is None:
        raise DataError(
            f"No version of {source.model} holds the alias {load_settings().alias!r}; set it in "
            "MLflow on the version in service."
        )
    module = model_files.load_model(source.model, number, trust_pickle=trust_pickle).module
    _check_fit(module, source)
    digest = model_digest(module.state_dict())
    refuse_remembering(store, source.model, number, digest, source.dataset)
    found = look(store, source.dataset.uri, source.dataset.subject, source.dataset_version)
    enrollment = Enrollment(
        model=source.model,
        version=number,
        digest=digest,
        dataset=source.dataset,
        dataset_version=found.version,
        row_count=found.row_count,
        holdout=source.holdout,
        unlearning=source.unlearning,
        policy=source.policy,
        budget=source.budget,
        approval=source.approval,
        deletions=Deletions(trained_rows=found.row_count),
        loss=source.loss,
        trust_pickle=trust_pickle,
        fingerprint=found.fingerprint,
        relearned=_relearned(store, source.model, number, digest, found),
    )
    rows = known_count(store, enrollment, found)
    enrollment = replace(enrollment, row_count=rows, deletions=Deletions(trained_rows=rows))
    record_enrollment(store, enrollment)
    _alarm_if_relearned(store, enrollment)
    mlflow_registry.tag_version(source.model, number, _tags(enrollment))
    log.info("%s version %d enrolled with %d rows", source.model, number, rows)
    if served is None:
        log.warning(
            "No version of %s holds the alias %r; set it in MLflow on the version in service. "
            "Until then all requests wait",
            source.model,
            load_settings().alias,
        )
    warn_of_few_rows(source)
    warn_of_shared_subjects(source)
    return enrollment


def warn_of_few_rows(source: ModelSource) -> None:
    """Say so if candidates will be judged on so few rows that the gate can hardly pass an update.

    Half of each sample is judged; on fewer than 100 rows chance hides losses of ten in a hundred.
    """
    config = source.unlearning
    for kind, uri, version, sample in (
        ("retain", source.dataset.uri, source.dataset_version, config.retain_sample),
        ("holdout", source.holdout, None, config.holdout_sample),
    ):
        judged = min(open_table(uri, version).count() // 2, sample)
        if judged < _FEW_ROWS:
            log.warning(
                "%s: about %d %s rows judge a candidate, too few to tell harmless updates from "
                "harmful ones; have at least %d in the %s table, and a sample of at least %d.",
                source.model,
                judged,
                kind,
                2 * _FEW_ROWS,
                kind,
                _FEW_ROWS,
            )


def warn_of_shared_subjects(source: ModelSource) -> None:
    """Say so if people have rows in both tables: a holdout row must be no training row."""
    column = source.dataset.subject
    unseen = open_table(source.holdout)
    names = pc.call_function("unique", [arrow_dataset(unseen).to_table(columns=[column])[column]])
    table = open_table(source.dataset.uri, source.dataset_version)
    shared = len(count_by_subject(table, column, map(str, names.to_pylist())))
    if shared:
        log.warning(
            "%s: %d of %d subjects of the holdout have rows in the training table, too; make sure "
            "that these are other rows, for what the model was trained on is no evidence.",
            source.model,
            shared,
            len(names),
        )


def _relearned(store: ObjectStore, model: str, version: int, digest: str, found: Look) -> str:
    """Key of the erased subjects whom the weights learned all the same; empty if none."""
    current = next((e for e in enrolled_models(store) if e.model == model), None)
    if current is not None and current.digest == digest:
        return current.relearned
    left_out = mlflow_registry.version_tags(model, version).get(mlflow_registry.LEFT_OUT_TAG)
    if not found.rows or left_out == found.listed:
        return ""
    return suppression_list.record_relearned(store, digest, list(found.rows))


def _alarm_if_relearned(store: ObjectStore, enrollment: Enrollment) -> None:
    if not enrollment.relearned:
        return
    facts = {"relearned": enrollment.relearned, "version": enrollment.version}
    journal.append(
        store,
        journal.Entry(
            stream(enrollment.model), enrollment.relearned, "ErasedSubjectsLearned", facts
        ),
    )
    log.error(
        "ALARM: %s version %d was trained on rows of subjects who were erased; run `expunge "
        "replay`, then `expunge run`.",
        enrollment.model,
        enrollment.version,
    )


def pinned(source: ModelSource) -> ModelSource:
    """The source at a fixed table version, its columns checked, its log kept free of ids."""
    if source.holdout.rstrip("/") == source.dataset.uri.rstrip("/"):
        raise SettingsError(
            f"{source.holdout} is the training table; name a holdout of rows that the model "
            "was never trained on, or nothing that is measured means anything."
        )
    check_columns(source.dataset, source.dataset_version)
    check_columns(replace(source.dataset, uri=source.holdout), None)
    for uri in (source.dataset.uri, source.holdout):
        refuse_links(uri)
        keep_ids_out_of_log(open_table(uri), source.dataset.subject)
    if source.dataset_version is not None:
        return source
    return replace(source, dataset_version=open_table(source.dataset.uri).version())


def _check_subject_column(store: ObjectStore, source: ModelSource) -> None:
    mine = {source.dataset.uri, source.holdout}
    for other in enrolled_models(store):
        if other.model == source.model or not mine & set(other.tables):
            continue
        if other.dataset.subject != source.dataset.subject:
            raise DataError(
                f"{other.model} takes {other.dataset.subject!r} for the subject of the same table; "
                "one id can name one kind of subject only, so give the same --subject-column."
            )


def _check_fit(module: nn.Module, source: ModelSource) -> None:
    sample = sample_rows(source.dataset, source.dataset_version, count=256, seed=0)
    try:
        with fixed_mode(module), torch.no_grad():
            scores = module(sample.inputs)
    except (RuntimeError, TypeError, ValueError, AssertionError, LookupError) as error:
        raise UnsupportedModelError(
            f"{source.model} does not take inputs of shape {list(sample.inputs.shape[1:])}; check "
            "--features and --shape, and that it was exported with an example of at least two rows."
        ) from error
    trainable_names(module)
    _check_scores(scores, int(sample.labels.max()), source)


def _check_scores(scores: torch.Tensor, highest: int, source: ModelSource) -> None:
    single = scores.ndim == 1 or scores.shape[1:] == (1,)
    if single != (source.loss == "binary_cross_entropy"):
        raise UnsupportedModelError(
            f"{source.model} gives scores of shape {list(scores.shape)}, which does not go with "
            f"the loss {source.loss}; change --loss, or wrap the model."
        )
    classes = 2 if single else scores.shape[-1]
    if scores.ndim > 2 or highest >= classes:  # noqa: PLR2004 - [N, C]
        raise UnsupportedModelError(
            f"{source.model} tells {classes} classes apart, but labels go up to {highest}; "
            "check --label, and that it gives one score per class."
        )
    rows = scores.reshape(len(scores), -1)
    sums = rows.sum(dim=1)
    if not single and bool((rows >= 0).all() and torch.allclose(sums, torch.ones_like(sums))):
        raise UnsupportedModelError(
            f"{source.model} gives probabilities; register it without its last softmax, so that "
            "it gives scores (logits) or log-probabilities."
        )


def _tags(enrollment: Enrollment) -> dict[str, str]:
    return {
        "expunge.dataset": enrollment.dataset.uri,
        "expunge.dataset_version": str(enrollment.dataset_version),
        "expunge.dataset_rows": str(enrollment.row_count),
        "expunge.digest": enrollment.digest,
    }
