"""The state of a long training in the store, so that a killed run goes on where it was."""

import logging
import time

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from tasks.store.objects import MissingObjectError, ObjectStore

log = logging.getLogger("expunge.checkpoints")

_INTERVAL_S = 30.0


class StoredCheckpoints:
    """One training's state under one key of the store, written at most every half minute."""

    def __init__(self, store: ObjectStore, key: str, *, interval_s: float = _INTERVAL_S) -> None:
        self._store, self._key, self._interval_s = store, key, interval_s
        self._saved_at = time.monotonic()

    def load(self) -> dict[str, Tensor] | None:
        """The state that was saved last; a damaged one counts as none."""
        try:
            state = load(self._store.get(self._key))
        except MissingObjectError:
            return None
        except SafetensorError:
            log.warning("%s is damaged, so the training starts anew", self._key)
            return None
        log.info("The training goes on after epoch %d", int(state["epoch"]))
        return state

    def is_due(self) -> bool:
        """Whether half a minute has passed since the last save, or since the start."""
        return time.monotonic() - self._saved_at >= self._interval_s

    def save(self, state: dict[str, Tensor]) -> None:
        """Write the state in place of the one before."""
        self._store.put(self._key, save(state))
        self._saved_at = time.monotonic()
