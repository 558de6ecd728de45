"""Every call that changes something outside this process, counted; the process may die at one.

The calls are wrapped where the product's libraries make them, below the product: its own code has
no hook. An outermost call counts, what it calls in turn does not.
"""

import functools
import os
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WRITES = re.compile(
    r"^(create|set|log|update|delete|finalize|rename|restore|record|transition|register)_(?!run$)"
    r"|^create_run$|^log_artifacts?$"
)
_IDS = re.compile(r"[0-9a-f]{8,}|(?<=requests/)[^/]*(?=/\d)|\d{6}|m-\w+")


@dataclass
class Counter:
    """Counts calls; at number `kill_at` the process ends by SIGKILL, before or after it is made."""

    kill_at: int = 0
    side: str = "after"
    labels: list[str] = field(default_factory=list)
    trace: Path | None = None
    """File that gets a line for every call that was made, by whichever process."""
    on_call: Callable[[int, str, str], None] | None = None
    """Called with number, side and label of every call; may raise."""
    lock: Any = field(default_factory=threading.Lock)
    inside: Any = field(default_factory=threading.local)

    def wrap(self, owner: Any, name: str, label: Callable[..., str]) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def counted(*args: Any, **kwargs: Any) -> Any:
            text = label(*args, **kwargs)
            if not text or getattr(self.inside, "deep", 0):
                return original(*args, **kwargs)
            with self.lock:
                self.labels.append(text)
                number = len(self.labels)
            self._reach(number, "before", text)
            self.inside.deep = number
            try:
                result = original(*args, **kwargs)
            finally:
                self.inside.deep = 0
            self._note(text)
            self._reach(number, "after", text)
            return result

        setattr(owner, name, counted)

    def wrap_half(self, owner: Any, name: str) -> None:
        """A place in the middle of a counted call, after which half of it was done."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def halfway(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            self._reach(getattr(self.inside, "deep", 0), "inside", name)
            return result

        setattr(owner, name, halfway)

    def _reach(self, number: int, side: str, text: str) -> None:
        if self.on_call is not None:
            deep, self.inside.deep = getattr(self.inside, "deep", 0), number
            try:
                self.on_call(number, side, text)  # what it calls itself is not the run's doing
            finally:
                self.inside.deep = deep
        if (number, side) == (self.kill_at, self.side):
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, text: str) -> None:
        if self.trace is not None:
            with self.trace.open("a") as file:
                file.write(f"{text}\n")


def install(counter: Counter) -> Counter:
    """Wrap the calls of store, Delta tables, MLflow's databases and MLflow's artifacts."""
    from deltalake import DeltaTable
    from deltalake.table import TableAlterer, TableMerger
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as Registry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as Tracking

    from tasks.store.files import FileStore
    from tasks.store.s3 import S3Store

    for kind in (FileStore, S3Store):
        for name in ("put", "put_if_absent", "delete", "purge_noncurrent"):
            counter.wrap(kind, name, functools.partial(_object, name))
    counter.wrap_half(FileStore, "_scratch")
    for owner, name in ((TableMerger, "execute"), (TableAlterer, "set_table_properties")):
        counter.wrap(owner, name, functools.partial(_plain, f"delta {name}"))
    for name in ("vacuum", "delete", "restore"):
        counter.wrap(DeltaTable, name, functools.partial(_plain, f"delta {name}"))
    for owner, word in (
        (Tracking, "mlflow"),
        (Registry, "registry"),
        (LocalArtifactRepository, "artifacts"),
    ):
        for name in dir(owner):
            if _WRITES.match(name) and callable(getattr(owner, name)):
                counter.wrap(owner, name, functools.partial(_plain, f"{word} {name}"))
    return counter


def _plain(text: str, *_: Any, **__: Any) -> str:
    return text


def _object(verb: str, store: Any, key: str, *_: Any, **__: Any) -> str:
    if key.endswith(".beat"):
        return ""  # a sign of life by the clock: no point that could be counted
    if verb == "purge_noncurrent" and store.uri.startswith("file:"):
        return ""  # nothing to do there
    return f"store {verb} {_IDS.sub('*', key)}"
