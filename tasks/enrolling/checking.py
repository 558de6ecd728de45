"""A look at a model before it is enrolled: everything that stands in the way, at once."""

from dataclasses import dataclass, replace

from torch import nn

from tasks.enrolling import libraries, looking
from tasks.enrolling.estimates import by_recipe, estimates
from tasks.enrolling.fit import few_rows
from tasks.enrolling.interfaces import interface_of, said_of, with_whole
from tasks.enrolling.model_form import form_errors
from tasks.enrolling.obstacles import Obstacle, Obstacles
from tasks.enrolling.outlook import REFERENCES, Outlook, outlook, with_seconds
from tasks.enrolling.preparing import as_read, read_preparation
from tasks.enrolling.recipe_check import Trial, checked_recipe
from tasks.enrolling.recipes.kept import read_file
from tasks.enrolling.source import (
    ModelSource,
    placed,
    refuse_training_holdout,
    with_kind,
)
from tasks.enrolling.widening import refuse_unnamed
from tasks.environment.memory import memory_errors
from tasks.registry import model_files
from tasks.registry.model_files import LoadedModel, Trust
from tasks.registry.services import Services
from tasks.tables.delta import is_table
from tasks.versions.alias_floor import refuse_remembering
from unlearning.errors import ModelError, UnfitRowsError
from unlearning.model.adapted import adapted, interface_in
from unlearning.model.rows import TensorRows
from unlearning.model.weights import model_digest
from unlearning.policy.budget import is_exact


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentCheck:
    """What an enrolment would find."""

    model: str
    version: int | None
    """The version that was looked at: the one that would be enrolled, or the newest where that is
    not clear; None if there is none."""
    obstacles: tuple[Obstacle, ...]
    """Everything for which it would be refused, as far as one can look past it."""
    notes: tuple[str, ...]
    """What it would warn of, each in one sentence."""
    row_count: int | None = None
    """Rows of the training table; None if it cannot be read."""
    input_shape: tuple[int, ...] = ()
    input_kind: str = "float32"
    """The numbers that it takes, by torch's name."""
    classes: int | None = None
    """One more than the highest label in a sample."""
    loss: str = ""
    columns: tuple[str, ...] = ()
    """Of a model of another library its inputs, each column with its type."""
    class_names: tuple[str, ...] = ()
    """Classes as text, where they have names."""
    outlook: Outlook | None = None
    """What the model allows; None if it cannot be loaded."""

    @property
    def is_possible(self) -> bool:
        """Whether it could be enrolled."""
        return not self.obstacles


def check_enrolment(
    services: Services,
    source: ModelSource,
    version: int | None,
    trust: Trust,
    *,
    promote: bool = False,
) -> EnrolmentCheck:
    """Look at model and tables as `enroll_version` does, and go on after each refusal.

    Nothing is changed if the services are `rehearsing`: no table, no version, no object.

    Cost: the model, a sample of the training table, and what `estimates` tries on it.

    Raises:
        TransientError: a system is away.
    """
    seen = Obstacles()
    source = _settled(services, source, seen)
    number = looking.version(services, source, version, promote=promote, seen=seen)
    origin = looking.origin(services, source, number, seen)
    given = replace(source, dataset_version=origin.version)
    source = _recognised(services, given, number, seen)
    readable = looking.at_tables(services, source, seen)
    loaded = _load(services, source, number, trust, seen)
    if loaded is not None and readable:
        read = seen.outcome(lambda: as_read(services, source, loaded))
        source, readable = read or source, read is not None
    known = seen.outcome(lambda: libraries.with_classes(source, loaded.module)) if loaded else None
    source, module = known or (source, None)
    sample = looking.sample(services, source, seen) if readable else None
    module = _behind_interface(services, source, module, seen) if sample is not None else None
    interface = interface_in(module)
    source = with_whole(source, interface)
    trial = _try(services, source, module, sample, seen)
    return EnrolmentCheck(
        model=source.model,
        version=number,
        obstacles=seen.found,
        notes=(
            *looking.serving_notes(services, source.model, is_needed=bool(version) and not promote),
            *([origin.said] if origin.said else []),
            *looking.unasked_notes(services, source.model, number),
            *libraries.signature_said(given, source),
            *said_of(source, interface),
            *(few_rows(services, source) if readable else ()),
        ),
        row_count=looking.row_count(services, source) if readable else None,
        input_shape=() if sample is None else tuple(sample.inputs.shape[1:]),
        input_kind=", ".join(one.kind for one in interface.inputs) or "float32",
        classes=None if sample is None else 1 + int(sample.labels.max()),
        loss=source.loss,
        columns=libraries.columns_of(source),
        class_names=source.dataset.classes,
        outlook=_outlook(services, source, number, module, sample, trial),
    )


def _settled(services: Services, source: ModelSource, seen: Obstacles) -> ModelSource:
    """The source with what can be told of it without model and tables."""
    seen.outcome(lambda: refuse_unnamed(services, source))
    found = placed(source)
    seen.outcome(lambda: refuse_training_holdout(found))
    return seen.outcome(lambda: with_kind(services, found)) or found


def _try(
    services: Services,
    source: ModelSource,
    module: nn.Module | None,
    sample: TensorRows | None,
    seen: Obstacles,
) -> Trial | None:
    """Ask the model for the sample, and try its recipe; else only its owner's files are read."""
    if module is None or sample is None:
        seen.outcome(lambda: read_file(source.recipe, source.recipe_python))
        seen.outcome(lambda: read_preparation(source))
        return None
    with memory_errors():
        seen.each(lambda: form_errors(module, sample, source.model, source.loss))
    return seen.outcome(lambda: checked_recipe(services, source, module))


def _outlook(
    services: Services,
    source: ModelSource,
    number: int | None,
    module: nn.Module | None,
    sample: TensorRows | None,
    trial: Trial | None,
) -> Outlook | None:
    """What the model allows, and what was tried of it as far as it takes the sample."""
    if module is None or sample is None or number is None:
        return None
    try:
        with memory_errors():
            tried = estimates(services, source, number, module, sample)
    except (ModelError, UnfitRowsError):  # an obstacle says why
        return outlook(services, module, source, None)
    seconds = tried.seconds | (by_recipe(services, source, trial) if trial else {})
    found = with_seconds(outlook(services, module, source, tried.power), seconds)
    references = next(one for one in found.evidence if one.name == REFERENCES)
    needs_none = is_exact(source.unlearning.method)
    if tried.references or references.why_not or tried.power is None or needs_none:
        return found
    said = (
        "The power is that of the loss alone; with its reference models, for which a check has no "
        "time, the attack sees more."
    )
    return replace(found, advice=(*found.advice, said))


def _load(
    services: Services, source: ModelSource, number: int | None, trust: Trust, seen: Obstacles
) -> LoadedModel | None:
    if number is None:
        return None
    asked = libraries.asked_by(services, source, trust)
    loaded = seen.outcome(
        lambda: model_files.load_model(
            services.registry, source.model, number, trust=trust, asked=asked
        )
    )
    if loaded is None:
        return None
    digest = model_digest(loaded.module.state_dict())
    seen.outcome(lambda: refuse_remembering(services, source.model, number, digest, source.dataset))
    return loaded


def _recognised(
    services: Services, source: ModelSource, number: int | None, seen: Obstacles
) -> ModelSource:
    if number is None or not is_table(services.settings, source.dataset.uri):
        return source
    source = seen.outcome(lambda: libraries.with_library(services, source, number)) or source
    seen.each(lambda: libraries.library_errors(source))
    return source


def _behind_interface(
    services: Services, source: ModelSource, module: nn.Module | None, seen: Obstacles
) -> nn.Module | None:
    if module is None:
        return None
    interface = seen.outcome(lambda: interface_of(services, source, module))
    return adapted(module, interface) if interface is not None else None
