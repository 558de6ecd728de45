"""Weights that were made and judged, compared with their record wherever they are read again."""

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from tasks.journal.events.attempt import Attempt
from tasks.journal.events.attempts import CandidateMade
from tasks.journal.reading import read_batch, read_enrollment
from tasks.registry.model_files import LoadedModel, load_enrolled
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.errors import ChangedWeightsError, UnsupportedModelError
from unlearning.model.forward import model_copy
from unlearning.model.weights import model_digest


def recorded(services: Services, attempt: Attempt) -> CandidateMade:
    """What is on record of the attempt's candidate.

    Raises:
        UnsupportedModelError: it was never made.
    """
    made = read_batch(services.journal, attempt.batch).attempts[attempt.key].made
    if made is None:
        raise UnsupportedModelError("The candidate was never made; run the batch from its start.")
    return made


def load_candidate(services: Services, attempt: Attempt, parent: nn.Module) -> nn.Module:
    """A copy of the parent with the weights of the attempt's candidate, as they were made.

    Raises:
        ChangedWeightsError: the store holds others by now.
    """
    state = _read_candidate(services, attempt, recorded(services, attempt))
    module = model_copy(parent)
    module.load_state_dict(state)
    return module


def refuse_changed(services: Services, attempt: Attempt) -> None:
    """Refuse to go on with a candidate that was replaced: the next rung makes another one.

    Raises:
        ChangedWeightsError: the store or the registry holds other weights than were made.
    """
    history = read_batch(services.journal, attempt.batch).attempts.get(attempt.key)
    if history is None or history.made is None or history.promoted is not None:
        return
    _read_candidate(services, attempt, history.made)
    if history.registered is not None:
        read_back(services, attempt, history.registered.version)


def read_back(services: Services, attempt: Attempt, version: int) -> LoadedModel:
    """The registered version as it lies in MLflow, if it is the candidate that was judged.

    Raises:
        ChangedWeightsError: it holds other weights.
    """
    enrollment = read_enrollment(services.journal, attempt.model)
    found = load_enrolled(services, enrollment, version, is_parent=True)
    if model_digest(found.module.state_dict()) != recorded(services, attempt).digest:
        raise ChangedWeightsError(
            f"Version {version} of {attempt.model} holds other weights than the candidate that was "
            "judged; find out who writes to MLflow's artifacts, then run again to make another one."
        )
    return found


def _read_candidate(services: Services, attempt: Attempt, made: CandidateMade) -> dict[str, Tensor]:
    try:
        state = load(services.store.get(attempt.ids.candidate))
        is_changed = model_digest(state) != made.digest
    except (SafetensorError, MissingObjectError):
        is_changed, state = True, {}
    if is_changed:
        raise ChangedWeightsError(
            f"{attempt.ids.candidate} in the store is not the candidate that was made for "
            f"{attempt.model}; find out who writes there, then run again to make another one."
        )
    return state
