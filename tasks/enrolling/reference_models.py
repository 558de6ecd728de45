"""Reference models in the store: what the attacks need to know how hard a row is.

They are trained on holdout rows that no candidate is judged on, so no training row ever enters
them: one set serves a model through all its versions, until holdout rows are erased.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from tasks.datasets.samples import sample_rows
from tasks.hardware.device import pick_device
from tasks.hardware.memory import fitting
from tasks.models.enrollment import Enrollment, enrolled_models, read_enrollment, stream
from tasks.models.timed_trainings import timing
from tasks.registry import model_files
from tasks.store import journal
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.subjects.reappearance import ids_to_leave_out
from unlearning.attacks.attacks import Signals, read_signals
from unlearning.attacks.power import AttackPower, attack_power
from unlearning.attacks.shadow import ShadowAttack, fit_shadow_attack
from unlearning.config.training_config import TrainingConfig
from unlearning.errors import ConflictError, DivergenceError, UnsupportedModelError
from unlearning.methods.retrain import trained_anew
from unlearning.model.forward import model_copy
from unlearning.model.rows import TensorRows, random_rows, split_by_content
from unlearning.model.scores import Scores, read_scores
from unlearning.policy.digests import SHORT, facts_digest

log = logging.getLogger("expunge.references")

_ERASED = "HoldoutErased"
_MEMBERS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The reference models of a model, and what they teach as shadows."""

    models: tuple[nn.Module, ...] = ()
    shadow: ShadowAttack | None = None


def refresh_references(store: ObjectStore, model: str) -> str:
    """Train the model's references unless the store has them; returns their key, "" if none.

    Cost: as many trainings as `policy.references`, on at most `policy.reference_rows` rows each.
    """
    enrollment = read_enrollment(store, model)
    if not enrollment.policy.references:
        return ""
    module = model_files.load_model(
        model, enrollment.version, trust_pickle=enrollment.trust_pickle
    ).module
    found = read_references(store, enrollment, module)
    return _key(store, enrollment, module) if found.models else ""


def read_references(store: ObjectStore, enrollment: Enrollment, parent: nn.Module) -> References:
    """The references of the model, trained first if the store has none.

    Empty if the policy wants none, or if the model has a form that cannot be trained anew or whose
    training on so few rows diverges; then the attacks know the loss alone.
    """
    if not enrollment.policy.references:
        return References()
    key = _key(store, enrollment, parent)
    tensors = _read(store, key)
    if tensors is None:
        spec, version = enrollment.dataset, enrollment.dataset_version
        erased = ids_to_leave_out(store, spec, None, uri=enrollment.holdout)
        try:
            tensors, timed = _trained(enrollment, parent, erased)
        except (UnsupportedModelError, DivergenceError) as error:
            log.warning("%s: no reference models. %s", enrollment.model, error)
            return References()
        store.put(key, save(tensors))
        if _key(store, enrollment, parent) != key:
            store.delete(key)  # holdout rows were erased meanwhile, and these learned from them
            return read_references(store, enrollment, parent)
        found = _restored(parent, tensors)
        erased += ids_to_leave_out(store, spec, version)
        recall = _recall(enrollment, parent, found.models, erased)
        facts = {
            "references": key,
            "count": len(found.models),
            "version": enrollment.version,
            "recall": asdict(recall),
            "timed": timed,
        }
        name, event_id = stream(enrollment.model), f"references/{key}"
        journal.append(store, journal.Entry(name, event_id, "ReferencesStored", facts))
        return found
    return _restored(parent, tensors)


def read_recall(store: ObjectStore, model: str) -> AttackPower | None:
    """How well attacks told the model's training rows when its references were made."""
    events = journal.read(store, stream(model))
    found = [e.facts["recall"] for e in events if e.name == "ReferencesStored"]
    return AttackPower(**found[-1]) if found else None


def drop_references(store: ObjectStore, batch: str, table: str) -> list[str]:
    """Delete the references that learned from rows of this holdout table; returns their models."""
    affected = [e.model for e in enrolled_models(store) if e.holdout == table]
    for model in affected:
        entry = journal.Entry(stream(model), f"{batch}/holdout-erased", _ERASED, {"batch": batch})
        journal.append(store, entry)
        folder = f"references/{quote(model, safe='')}/"
        for info in list(store.list_objects(folder)):
            store.delete(info.key)
        store.purge_noncurrent(folder)
    return affected


def _recall(
    enrollment: Enrollment,
    parent: nn.Module,
    references: Sequence[nn.Module],
    without: Sequence[str],
) -> AttackPower:
    size = enrollment.unlearning.chunk_size
    retain = sample_rows(
        enrollment.dataset,
        enrollment.dataset_version,
        count=_MEMBERS,
        seed=enrollment.unlearning.seed,
        without=without,
    )
    _, unseen = reference_rows(enrollment, without)

    def signals(chunk_size: int, device: str) -> list[Signals]:
        return [
            read_signals(
                read_scores(parent, rows, chunk_size=chunk_size, device=device),
                references,
                rows,
                chunk_size=chunk_size,
                device=device,
            )
            for rows in (retain, unseen)
        ]

    known = fitting(signals, chunk_size=size, device=pick_device())
    return attack_power(*known, min_class_rows=enrollment.policy.min_class_rows)


def _key(store: ObjectStore, enrollment: Enrollment, parent: nn.Module) -> str:
    """Where references of this form, trained so, on the holdout as it now is, lie."""
    events = journal.read(store, stream(enrollment.model))
    shapes = {name: list(value.shape) for name, value in parent.state_dict().items()}
    facts = {
        "shapes": shapes,
        "training": asdict(enrollment.unlearning.retraining),
        "holdout": enrollment.holdout,
        "count": enrollment.policy.references,
        "rows": enrollment.policy.reference_rows,
        "erased": sum(e.name == _ERASED for e in events),
    }
    name = quote(enrollment.model, safe="")
    return f"references/{name}/{facts_digest(facts)[:SHORT]}.safetensors"


def _read(store: ObjectStore, key: str) -> dict[str, Tensor] | None:
    try:
        return load(store.get(key))
    except MissingObjectError:
        return None
    except SafetensorError as error:
        raise ConflictError(
            f"The reference models at {key} are damaged; delete that object, then run again."
        ) from error


def _trained(
    enrollment: Enrollment, parent: nn.Module, without: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights of references by number and name, and what they teach; facts of the fastest training.

    The first one warms the device up, so that it takes longer than its rows need.
    """
    policy, config = enrollment.policy, enrollment.unlearning.retraining
    rows, unseen = reference_rows(enrollment, without)
    tensors: dict[str, Tensor] = {}
    members: list[Scores] = []
    others: list[Scores] = []
    seconds: list[float] = []
    for number in range(1, policy.references + 1):
        log.info(
            "%s: training reference model %d of %d on %d holdout rows",
            enrollment.model,
            number,
            policy.references,
            rows.count,
        )
        seeded = replace(config, seed=config.seed + number)
        started = journal.now()
        state = _trained_on(parent, rows, seeded)
        seconds.append((journal.now() - started).total_seconds())
        module, size = _module(parent, state), enrollment.unlearning.chunk_size
        members.append(_scores(module, rows, size))
        others.append(_scores(module, unseen, size))
        tensors |= {f"{number}/{name}": value.contiguous() for name, value in state.items()}
    shadow = fit_shadow_attack(members, others)
    tensors |= {
        "shadow/weights": shadow.weights,
        "shadow/shift": torch.tensor(shadow.shift, dtype=torch.double),
    }
    return tensors, timing(config, rows.count, min(seconds))


def _trained_on(parent: nn.Module, rows: TensorRows, config: TrainingConfig) -> dict[str, Tensor]:
    """The batch size belongs to the result, so that only another device can do with less."""
    return fitting(
        lambda _, device: trained_anew(parent, rows, config, device=device),
        chunk_size=1,
        device=pick_device(),
    )


def _scores(module: nn.Module, rows: TensorRows, chunk_size: int) -> Scores:
    return fitting(
        lambda size, device: read_scores(module, rows, chunk_size=size, device=device),
        chunk_size=chunk_size,
        device=pick_device(),
    )


def _restored(parent: nn.Module, tensors: dict[str, Tensor]) -> References:
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        owner, _, own = name.partition("/")
        states.setdefault(owner, {})[own] = value
    shadow = states.pop("shadow")
    return References(
        models=tuple(_module(parent, states[number]) for number in sorted(states, key=int)),
        shadow=ShadowAttack(shadow["weights"], float(shadow["shift"])),
    )


def reference_rows(
    enrollment: Enrollment, without: Sequence[str] = ()
) -> tuple[TensorRows, TensorRows]:
    """Holdout rows that references learn from, of the part that no candidate is judged on; others.

    Raises:
        DataError: the holdout table is too small for both.
    """
    count = enrollment.policy.reference_rows
    sample = sample_rows(
        enrollment.dataset,
        None,
        count=2 * count,
        seed=enrollment.unlearning.seed,
        without=without,
        uri=enrollment.holdout,
    )
    read, judged = split_by_content(sample)
    return random_rows(read, count), random_rows(judged, count)


def _module(parent: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    module = model_copy(parent)
    module.load_state_dict(state)
    return module
