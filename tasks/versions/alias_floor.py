"""The floor of an alias: it may not point to a version that remembers somebody who was erased.

Every erasure of a model, a promotion above all, leaves the versions before it below the floor. A
rollback by hand is found by comparing the alias with the model's history.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.journal.effects import once
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.events.versions import AliasChangeIntended, AliasLost, AliasRestored
from tasks.journal.histories.weights import WeightsHistory
from tasks.journal.reading import enrolled_models, read_model
from tasks.registry import mlflow_registry, model_files
from tasks.registry.services import Services
from tasks.subjects import suppression_list
from unlearning.errors import ConflictError, MissingDataError, ModelError

log = logging.getLogger("expunge.alias_floor")


@dataclass(frozen=True, slots=True)
class Breach:
    """An alias below the floor."""

    model: str
    found: int
    """The version that it points to."""
    floor: int | None
    """The version to put it back on; None if that is gone or remembers too."""

    @property
    def text(self) -> str:
        """One sentence on what was found."""
        return (
            f"The alias of {self.model} points to version {self.found}, which remembers subjects "
            "that were erased since"
        )


def breaches(services: Services) -> Iterator[Breach]:
    """Every alias below the floor; reads weights only where a number of a version says so."""
    for enrollment in enrolled_models(services.journal):
        history = read_model(services.journal, enrollment.model)
        found = services.registry.alias_version(enrollment.model)
        # Who took it out serves it as they please: they are told, and the alias is theirs.
        if found is None or history.taken_out:
            continue
        weights = history.weights
        if not _remembers(services, enrollment, weights, found):
            continue
        floor = weights.alias_floor if not enrollment.is_withdrawn else None
        intact = floor is not None and _digest(services, enrollment, floor[0]) == floor[1]
        yield Breach(enrollment.model, found, floor[0] if floor and intact else None)


def enforce(services: Services) -> list[str]:
    """Put every alias back on the floor, once per breach; one sentence for each that was dropped.

    Nothing else is touched, so the next run finds what a rollback by hand interrupted.
    """
    return [lost for breach in list(breaches(services)) if (lost := _undo(services, breach))]


def taken_out_in_service(services: Services) -> list[str]:
    """A sentence for each model that was taken out and serves a version which remembers."""
    said = []
    for enrollment in enrolled_models(services.journal):
        model = enrollment.model
        history = read_model(services.journal, model)
        found = services.registry.alias_version(model) if history.taken_out else None
        if found is None or not history.taken_out:
            continue
        if _remembers(services, enrollment, history.weights, found):
            said.append(
                f"{model} was taken out by {history.taken_out.name} on {history.taken_out_on}, and "
                f"its version {found} serves and remembers subjects who were erased since; take "
                "its alias away, or enrol a version that was trained without them."
            )
    return said


def refuse_remembering(
    services: Services, model: str, version: int, digest: str, spec: DatasetSpec
) -> None:
    """Refuse to enrol weights that remember subjects whose rows were erased since.

    Weights not on record are judged by the tags that expunge put on the version: a candidate that
    was never promoted, or a copy, says of which version of the table it is.

    Raises:
        ConflictError: they do; with the rows gone, nothing is left to unlearn them with.
    """
    weights = read_model(services.journal, model).weights
    remembers = digest in {d for _, d in weights.below}
    if not remembers and digest not in {d for _, d in weights.above}:
        tags = services.registry.version_tags(model, version)
        erased = suppression_list.last_erasure(services, spec.uri)
        trained = tags.get("expunge.dataset_version", "")
        if tags.get("expunge.dataset") == spec.uri and trained and erased is not None:
            remembers = int(trained) <= erased[1]
    if remembers:
        raise ConflictError(
            f"Version {version} of {model} remembers subjects who were erased since it was made; "
            "enrol one that was trained without them."
        )


def _undo(services: Services, breach: Breach) -> str:
    changes = read_model(services.journal, breach.model).alias_changes

    def find(plan: AliasChangeIntended) -> AliasRestored | AliasLost | None:
        if services.registry.alias_version(breach.model) != plan.floor:
            return None
        if plan.floor is None:
            return AliasLost(found=breach.found)
        return AliasRestored(found=breach.found, floor=plan.floor)

    def make(plan: AliasChangeIntended) -> None:
        if plan.floor is None:
            services.registry.drop_alias(breach.model)
        else:
            services.registry.move_alias(breach.model, parent=breach.found, version=plan.floor)

    once(
        services.journal,
        model_stream(breach.model),
        key=ids.alias_change(changes + 1, breach.found, breach.floor),
        plan=AliasChangeIntended(found=breach.found, floor=breach.floor),
        find=find,
        make=make,
    )
    if breach.floor is not None:
        log.error("ALARM: %s. It is back on version %d.", breach.text, breach.floor)
        return ""
    lost = (
        f"{breach.text}, and no version without them is left: it no longer holds the alias. "
        f"Train {breach.model} anew and enrol that version"
    )
    log.error("ALARM: %s.", lost)
    return lost


def _remembers(
    services: Services, enrollment: Enrollment, weights: WeightsHistory, version: int
) -> bool:
    """Whether the version under the alias is one below the floor, and not another of its number."""
    recorded = {digest for number, digest in weights.below if number == version}
    if not recorded and version == enrollment.version:
        return False
    if not recorded:
        # Old weights registered anew, perhaps by hand and without a tag that says so.
        tagged = services.registry.version_tags(enrollment.model, version).get(
            mlflow_registry.DIGEST_TAG
        )
        digest = tagged or _digest(services, enrollment, version)
        return digest in {d for _, d in weights.below}
    actual = _digest(services, enrollment, version)
    return actual is None or actual in recorded


def _digest(services: Services, enrollment: Enrollment, version: int) -> str | None:
    """Digest of a version's weights; None if there are none to serve.

    Weights that are only out of reach, for want of access or of code, say nothing of the floor.
    """
    try:
        module = model_files.load_enrolled(services, enrollment, version).module
    except (MissingDataError, ModelError):
        return None
    from unlearning.model.weights import model_digest  # torch, which a status can do without

    return model_digest(module.state_dict())
