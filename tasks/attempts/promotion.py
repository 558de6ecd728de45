"""Register a candidate as a new model version with its lineage, and promote it."""

import logging
from dataclasses import asdict, replace
from importlib.metadata import version as package_version
from typing import Any

from tasks.attempts.evidence import evaluate_candidate
from tasks.attempts.input_examples import input_example
from tasks.attempts.inputs import inputs
from tasks.attempts.recorded_weights import load_candidate, read_back, recorded
from tasks.enrolling.recipes.kept import recipe_digest
from tasks.foreign_errors import translated
from tasks.journal import journal
from tasks.journal.effects import once
from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import (
    PromotionIntended,
    RegistrationIntended,
    VersionPromoted,
    VersionRegistered,
)
from tasks.journal.events.catalog import batch_stream, model_stream
from tasks.journal.events.models import ChampionPromoted
from tasks.journal.histories.ties import tie_of
from tasks.journal.reading import read_enrollment
from tasks.registry import logged_files, mlflow_registry, model_files
from tasks.registry.services import Services
from tasks.subjects import late_holds
from tasks.subjects.rosters import keep_roster
from tasks.subjects.suppression_list import never_learned_by
from unlearning.model.opaque import is_opaque
from unlearning.model.rows import KEYED
from unlearning.policy.few_people import without_measures

log = logging.getLogger("expunge.promotion")


def register(services: Services, attempt: Attempt) -> int:
    """The candidate's version number; created once, in the form of its parent, with its lineage."""
    effect = attempt.ids.registered

    def find(_: RegistrationIntended) -> VersionRegistered | None:
        number = services.registry.find_version(attempt.model, effect)
        if number is None:
            return None
        return VersionRegistered(model=attempt.model, attempt=attempt.key, version=number)

    def make(_: RegistrationIntended) -> None:
        run_id = services.registry.ensure_run(
            mlflow_registry.AUDIT_EXPERIMENT,
            attempt.key,
            f"unlearn {attempt.model} {attempt.batch}",
        )
        source = _log_candidate(services, attempt, run_id)
        _log_lineage(services, attempt, run_id)
        services.registry.create_version(
            attempt.model, source, run_id, lineage_tags(services, attempt)
        )

    done = once(
        services.journal,
        batch_stream(attempt.batch),
        key=effect,
        plan=RegistrationIntended(model=attempt.model, attempt=attempt.key),
        find=find,
        make=make,
    )
    log.info("%s: registered version %d", attempt.model, done.version)
    return done.version


def promote(services: Services, attempt: Attempt, version: int) -> None:
    """Move the alias from the parent to the new version, once, if nobody moved it meanwhile.

    Raises:
        ChangedWeightsError: the version holds other weights than were judged.
        ConflictError: the alias was moved, or a legal hold came.
    """
    made = recorded(services, attempt)
    files: dict[str, str] = {}
    if services.journal.find(batch_stream(attempt.batch), attempt.ids.promoted) is None:
        files = read_back(services, attempt, version).files

    def find(_: PromotionIntended) -> VersionPromoted | None:
        if services.registry.alias_version(attempt.model) != version:
            return None
        return VersionPromoted(
            model=attempt.model,
            attempt=attempt.key,
            version=version,
            digest=made.digest,
            files=files,
        )

    def make(_: PromotionIntended) -> None:
        late_holds.refuse_held(services, attempt.batch)
        services.registry.move_alias(attempt.model, parent=attempt.parent_version, version=version)

    done = once(
        services.journal,
        batch_stream(attempt.batch),
        key=attempt.ids.promoted,
        plan=PromotionIntended(model=attempt.model, attempt=attempt.key),
        find=find,
        make=make,
    )
    _tell_model(services, attempt, done, made.trained_rows)
    log.info("%s: version %d is the champion", attempt.model, version)


def _tell_model(
    services: Services, attempt: Attempt, done: VersionPromoted, trained_rows: int | None
) -> None:
    facts = ChampionPromoted(
        attempt=attempt.key,
        batch=attempt.batch,
        version=done.version,
        digest=done.digest,
        parent_version=attempt.parent_version,
        forget_count=attempt.forget_count,
        method=attempt.method,
        reason=attempt.reason,
        trained_rows=trained_rows,
        files=done.files,
        has_roster=_keep_roster(services, attempt, done.digest, trained_rows),
    )
    services.journal.append(model_stream(attempt.model), attempt.ids.promoted, facts)


def _keep_roster(
    services: Services, attempt: Attempt, digest: str, trained_rows: int | None
) -> bool:
    """Write down whose rows a retrained version learned; an update learned what its parent did."""
    if trained_rows is None:
        return False
    told = services.journal.find(model_stream(attempt.model), attempt.ids.promoted)
    if told is None:
        enrollment = read_enrollment(services.journal, attempt.model)
        without = never_learned_by(services, enrollment)
        tie = replace(tie_of(enrollment), digest=digest)
        keep_roster(services, attempt.model, tie, without=without)
    return True


def lineage_tags(services: Services, attempt: Attempt) -> dict[str, str]:
    """What the new version descends from, as tags of the model version."""
    enrollment = read_enrollment(services.journal, attempt.model)
    deletions = enrollment.deletions.after(
        attempt.forget_count, attempt.method, row_count=attempt.row_count
    )
    return {
        mlflow_registry.EFFECT_TAG: attempt.ids.registered,
        "expunge.batch": attempt.batch,
        "expunge.parent_version": str(attempt.parent_version),
        "expunge.parent_digest": attempt.parent_digest,
        "expunge.digest": recorded(services, attempt).digest,
        "expunge.dataset": enrollment.dataset.uri,
        "expunge.dataset_version": str(attempt.dataset_version),
        "expunge.dataset_version_before": str(attempt.dataset_version),
        "expunge.forget_count": str(attempt.forget_count),
        "expunge.forget_digest": attempt.forget_digest,
        "expunge.method": attempt.method,
        "expunge.forgotten_since_training": str(deletions.forgotten),
        "expunge.updates_since_training": str(deletions.updates),
        "expunge.config_digest": attempt.config_digest,
        "expunge.recipe": recipe_digest(recorded(services, attempt).recipe),
        "expunge.code_version": package_version("expunge"),
        "expunge.gate": "passed",
    }


def _log_candidate(services: Services, attempt: Attempt, run_id: str) -> str:
    enrollment, _, forget = inputs(services, attempt)
    original = model_files.load_enrolled(
        services, enrollment, attempt.parent_version, is_parent=True
    )
    module = load_candidate(services, attempt, original.module)
    example = None
    if not is_opaque(module):
        example = input_example(original, forget, enrollment)
    return logged_files.log_successor(services.settings, run_id, original, module, example)


def _log_lineage(services: Services, attempt: Attempt, run_id: str) -> None:
    """Parameters, metrics, parent model and dataset of the attempt's run."""
    from mlflow.entities import Dataset, DatasetInput, LoggedModelInput, Metric, Param

    enrollment = read_enrollment(services.journal, attempt.model)
    client = services.registry.client
    evidence = evaluate_candidate(services, attempt)
    now = int(journal.now().timestamp() * 1000)
    metrics = [
        Metric(f"{name}_{when}", float(value), now, 0)
        for when, report in (("before", evidence.before), ("after", evidence.after))
        for name, value in _kept(attempt, asdict(report)).items()
    ]
    found = evidence.forgetting
    judged = {"power": found.power}
    if not attempt.is_of_few:
        judged |= {"before": found.judged.before, "after": found.judged.after}
    metrics += [Metric(f"attack_{n}", value, now, 0) for n, value in judged.items()]
    values = asdict(enrollment.unlearning) | {"method": attempt.method, "reason": attempt.reason}
    params = [Param(k, str(v)) for k, v in values.items()]
    source = f'{{"uri": "{enrollment.dataset.uri}"}}'
    dataset = Dataset(
        enrollment.model, attempt.forget_digest.removeprefix(KEYED)[:12], "delta", source
    )
    parent = services.registry.logged_model_id(attempt.model, attempt.parent_version)
    with translated("MLflow"):
        client.log_batch(run_id, metrics=metrics, params=params)
        client.log_inputs(
            run_id,
            datasets=[DatasetInput(dataset)],
            models=[LoggedModelInput(parent)] if parent else None,
        )
        client.set_terminated(run_id)


def _kept(attempt: Attempt, measures: dict[str, Any]) -> dict[str, Any]:
    return without_measures(measures) if attempt.is_of_few else measures
