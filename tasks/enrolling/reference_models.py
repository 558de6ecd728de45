"""Reference models in the store: what the attacks need to know how hard a row is.

They are trained on holdout rows that no candidate is judged on, so no training row ever enters
them: one set serves a model through all its versions, until holdout rows are erased or it is
enrolled with another holdout.
"""

import logging
from dataclasses import asdict, dataclass
from urllib.parse import quote

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.enrolling.reference_training import measured_power, trained_references, with_weights
from tasks.journal.events import ids
from tasks.journal.events.catalog import model_stream
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.events.models import HoldoutErased, ReferenceModelsStored
from tasks.journal.reading import ever_enrolled, read_enrollment, read_model
from tasks.registry import model_files
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from tasks.subjects.reappearance import suppressed_ids
from tasks.versions.leftovers import drop_former
from unlearning.attacks.shadow import ShadowAttack
from unlearning.errors import ConflictError, DivergenceError, RecipeError, UnsupportedModelError
from unlearning.model.opaque import opaque_in
from unlearning.policy.digests import SHORT, facts_digest

log = logging.getLogger("expunge.reference_models")


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceModels:
    """The reference models of a model, and what they teach as shadows."""

    models: tuple[nn.Module, ...] = ()
    shadow: ShadowAttack | None = None


def refresh_references(services: Services, model: str) -> str:
    """Train the model's reference models unless the store has them; returns their key, "" if none.

    Cost: as many trainings as `policy.references`, on at most `policy.reference_rows` rows each.
    """
    enrollment = read_enrollment(services.journal, model)
    drop_former(services)
    if not enrollment.policy.references:
        return ""
    module = model_files.load_enrolled(services, enrollment, enrollment.version).module
    found = read_reference_models(services, enrollment, module)
    return _key(services, enrollment, module) if found.models else ""


def read_reference_models(
    services: Services, enrollment: Enrollment, parent: nn.Module
) -> ReferenceModels:
    """The reference models of the model, trained first if the store has none.

    Empty if the policy wants none, or if the model has a form that cannot be trained anew, its
    recipe fails, or its training on so few rows diverges; then the attacks know the loss alone.
    """
    if not enrollment.policy.references:
        return ReferenceModels()
    erasures = read_model(services.journal, enrollment.model).holdout_erasures
    key = _key(services, enrollment, parent)
    tensors = _read(services, key)
    if tensors is not None:
        return restored(parent, tensors)
    spec = enrollment.dataset
    erased = suppressed_ids(services, spec, None, uri=enrollment.holdout)
    try:
        tensors, timed = trained_references(services, enrollment, parent, erased)
    except (UnsupportedModelError, DivergenceError, RecipeError) as error:
        log.warning("%s: no reference models. %s", enrollment.model, error)
        return ReferenceModels()
    found = restored(parent, tensors)
    erased += suppressed_ids(services, spec, enrollment.dataset_version)
    power = measured_power(services, enrollment, parent, found.models, erased)
    facts = ReferenceModelsStored(
        references=key,
        count=len(found.models),
        version=enrollment.version,
        power=power,
        timed=timed,
        holdout=enrollment.holdout,
        erasures=erasures,
    )
    # Noted first: what lies in the store unnoted, or was noted before an erasure, is dropped.
    services.journal.append(model_stream(enrollment.model), ids.references(key), facts)
    services.store.put(key, save(tensors))
    if _key(services, enrollment, parent) != key:
        # Holdout rows were erased meanwhile, and these learned from them.
        services.store.delete(key)
        return read_reference_models(services, enrollment, parent)
    return found


def drop_references(services: Services, batch: str, table: str) -> list[str]:
    """Delete reference models that may have learned from rows of this table; returns whose.

    All those of every model for which it ever was the holdout, also before another one was.
    """
    ever = ever_enrolled(services.journal)
    affected = list(dict.fromkeys(e.model for e in ever if e.holdout == table))
    for model in affected:
        event_id, facts = ids.holdout_erased(batch), HoldoutErased(batch=batch)
        services.journal.append(model_stream(model), event_id, facts)
        folder = _folder(model)
        for info in list(services.store.list_objects(folder)):
            services.store.delete(info.key)
        services.store.purge_noncurrent(folder)
    return affected


def _folder(model: str) -> str:
    return f"references/{quote(model, safe='')}/"


def _key(services: Services, enrollment: Enrollment, parent: nn.Module) -> str:
    """Where reference models of this form, trained so, on the holdout as it now is, lie."""
    shapes: object = {name: list(value.shape) for name, value in parent.state_dict().items()}
    if (opaque := opaque_in(parent)) is not None:  # files of the same form differ in size
        shapes = [opaque.library, enrollment.dataset.features, enrollment.dataset.types]
    facts = {
        "shapes": shapes,
        "training": asdict(enrollment.unlearning.retraining),
        "holdout": enrollment.holdout,
        "count": enrollment.policy.references,
        "rows": enrollment.policy.reference_rows,
        "erased": read_model(services.journal, enrollment.model).holdout_erasures,
    }
    if enrollment.recipe:
        facts |= {"training": [enrollment.recipe, enrollment.recipe_python]}
    return f"{_folder(enrollment.model)}{facts_digest(facts)[:SHORT]}.safetensors"


def _read(services: Services, key: str) -> dict[str, Tensor] | None:
    try:
        return load(services.store.get(key))
    except MissingObjectError:
        return None
    except SafetensorError as error:
        raise ConflictError(
            f"The reference models at {key} are damaged; delete that object, then run again."
        ) from error


def restored(parent: nn.Module, tensors: dict[str, Tensor]) -> ReferenceModels:
    """The reference models of these weights, as `trained_references` gives them."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        owner, _, own = name.partition("/")
        states.setdefault(owner, {})[own] = value
    shadow = states.pop("shadow")
    return ReferenceModels(
        models=tuple(with_weights(parent, states[number]) for number in sorted(states, key=int)),
        shadow=ShadowAttack(shadow["weights"], float(shadow["shift"])),
    )
