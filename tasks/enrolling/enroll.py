"""Enrol a model: check that it fits its tables, and record both."""

import logging
from dataclasses import replace

from torch import nn

from tasks.enrolling.fit import check_fit, few_rows
from tasks.enrolling.interfaces import interface_of, said_of, with_whole
from tasks.enrolling.libraries import (
    asked_by,
    refuse_unfit,
    signature_said,
    with_classes,
    with_library,
)
from tasks.enrolling.lineage import lineage
from tasks.enrolling.overlap import find_overlap
from tasks.enrolling.preparing import as_read
from tasks.enrolling.recipe_check import checked_recipe
from tasks.enrolling.recipes.kept import keep, recipe_digest
from tasks.enrolling.serving import give_alias, unserved, version_to_enroll
from tasks.enrolling.source import ModelSource, pinned, placed
from tasks.enrolling.widening import refuse_unnamed, wider_than_rejecting
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import ErasedSubjectsLearned
from tasks.journal.histories.ties import tie_of
from tasks.journal.reading import read_model, record_enrollment
from tasks.registry import mlflow_registry, model_files
from tasks.registry.model_files import Trust
from tasks.registry.services import Services
from tasks.store import lease
from tasks.subjects import suppression_list
from tasks.subjects.reappearance import TableScan, known_count, scan_table
from tasks.subjects.rosters import keep_roster
from tasks.versions.alias_floor import refuse_remembering
from tasks.versions.copies import unasked
from unlearning.model.adapted import adapted
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions
from unlearning.policy.counted import counted

log = logging.getLogger("expunge.enroll")


def enroll_version(
    services: Services,
    source: ModelSource,
    version: int | None,
    *,
    trust_pickle: bool,
    trust_code: bool = False,
    promote: bool = False,
) -> Enrollment:
    """Enrol a registered version: check that it fits its table, and record both.

    If erased subjects are back in the rows that it was trained on, it is enrolled with an alarm,
    and forgets them as soon as there are requests (`tasks.subjects.replay`). With `promote` it gets
    the serving alias in the end: the version that is named, or the newest where none is in service.

    Raises:
        ConflictError: it remembers subjects whose rows were erased since, or a run is at work and
            may be moving the alias that it shall get.
        DataError: the alias is not set, or columns are missing.
        SettingsError: its gate is blind, or wider than the default and nobody answers for it.
        UnsupportedModelError: the model cannot be loaded, or its scores do not fit the labels.
        RecipeError: its owner's recipe fails on a sample of its rows, or makes another model.
    """
    refuse_unnamed(services, source)
    if promote:
        lease.check(services.store)
    number = version_to_enroll(services, source.model, version, newest=promote)
    source = pinned(services, _recognised(services, source, number))
    served = services.registry.alias_version(source.model)
    trust = Trust(trust_pickle, trust_code)
    source, inner, files = _loaded(services, source, number, trust)
    interface = interface_of(services, source, inner)
    source, module = with_whole(source, interface), adapted(inner, interface)
    for said in said_of(source, interface):
        log.info("%s", said)
    check_fit(services, module, source)
    digest = model_digest(module.state_dict())
    refuse_remembering(services, source.model, number, digest, source.dataset)
    trial = checked_recipe(services, source, module)
    enrollment = replace(
        _enrollment(services, source, number, digest),
        interface=interface,
        recipe=keep(services.store, trial.recipe) if trial else "",
        recipe_python=source.recipe_python,
        trust_pickle=trust_pickle,
        trust_code=trust_code,
        files=files,
    )
    record_enrollment(services.journal, enrollment)
    _alarm_if_relearned(services, enrollment)
    services.registry.tag_version(source.model, number, _tags(enrollment))
    rows = counted(enrollment.row_count, "row")
    log.info("%s version %d enrolled with %s", source.model, number, rows)
    if promote:
        give_alias(services, source.model, number)
    elif served is None:
        log.warning("%s", unserved(services, source.model))
    for said in (*unasked(services, source.model, number), *few_rows(services, source)):
        log.warning("%s", said)
    return enrollment


def _recognised(services: Services, source: ModelSource, number: int) -> ModelSource:
    """The source with its lineage, and with what MLflow says of its library and columns."""
    before = with_lineage(services, source, number)
    found = with_library(services, before, number)
    for said in signature_said(before, found):
        log.info("%s", said)
    refuse_unfit(found)
    return found


def _loaded(
    services: Services, source: ModelSource, number: int, trust: Trust
) -> tuple[ModelSource, nn.Module, dict[str, str]]:
    """The source with what the version says of tokens and classes; its module, and its files."""
    asked = asked_by(services, source, trust)
    loaded = model_files.load_model(
        services.registry, source.model, number, trust=trust, asked=asked
    )
    source, module = with_classes(as_read(services, source, loaded), loaded.module)
    return source, module, loaded.files


def with_lineage(services: Services, source: ModelSource, number: int) -> ModelSource:
    """The source at the table version that this version learned from; raises as `lineage`."""
    source = placed(source)
    found = lineage(services, source, number)
    if found.said:
        log.warning("%s", found.said)
    return replace(source, dataset_version=found.version)


def _enrollment(services: Services, source: ModelSource, version: int, digest: str) -> Enrollment:
    found = scan_table(services, source.dataset.uri, source.dataset.who, source.dataset_version)
    overlap = find_overlap(services, source)
    enrollment = Enrollment(
        model=source.model,
        version=version,
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
        widened_by=source.widened_by.strip(),
        widened_because=source.widened_because.strip(),
        wider_than_rejecting=wider_than_rejecting(services, source),
        tolerated=source.tolerated,
        shared_subjects=overlap.subjects,
        shared_rows=overlap.rows,
        fingerprint=found.fingerprint,
        has_roster=True,
        relearned=_relearned(services, source.model, version, digest, found),
    )
    rows = known_count(services, enrollment, found)
    enrollment = replace(enrollment, row_count=rows, deletions=Deletions(trained_rows=rows))
    _keep_roster(services, enrollment)
    return enrollment


def _keep_roster(services: Services, enrollment: Enrollment) -> None:
    """Write down whose rows the weights learned, unless it is known; say so if that gets more."""
    history, tie = read_model(services.journal, enrollment.model), tie_of(enrollment)
    known = history.ties.of(enrollment.digest)
    current = history.enrollment
    if known and current is not None and current.snapshot == tie.snapshot:
        return
    without = suppression_list.never_learned_by(services, enrollment)
    keep_roster(services, enrollment.model, tie, without=without)
    if known:
        log.warning(
            "ALARM: These weights of %s are on record as trained on %s. That they are enrolled on "
            "%s takes nothing of it back: whoever was in either is looked for in both",
            enrollment.model,
            " and ".join(one.snapshot for one in known),
            tie.snapshot,
        )


def _relearned(services: Services, model: str, version: int, digest: str, found: TableScan) -> str:
    """Key of the erased subjects whom the weights learned all the same; empty if none."""
    current = read_model(services.journal, model).enrollment
    if current is not None and current.digest == digest:
        return current.relearned
    left_out = services.registry.version_tags(model, version).get(mlflow_registry.LEFT_OUT_TAG)
    if not found.rows or left_out == found.listed:
        return ""
    return suppression_list.record_relearned(services, digest, list(found.rows))


def _alarm_if_relearned(services: Services, enrollment: Enrollment) -> None:
    if not enrollment.relearned:
        return
    facts = ErasedSubjectsLearned(relearned=enrollment.relearned, version=enrollment.version)
    services.journal.append(model_stream(enrollment.model), enrollment.relearned, facts)
    log.error(
        "ALARM: %s version %d was trained on rows of subjects who were erased; run `expunge "
        "replay`, then `expunge run`.",
        enrollment.model,
        enrollment.version,
    )


def _tags(enrollment: Enrollment) -> dict[str, str]:
    return {
        "expunge.dataset": enrollment.dataset.uri,
        "expunge.dataset_version": str(enrollment.dataset_version),
        "expunge.dataset_rows": str(enrollment.row_count),
        "expunge.digest": enrollment.digest,
        "expunge.recipe": recipe_digest(enrollment.recipe),
    }
