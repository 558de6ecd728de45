"""Models of other libraries, asked for scores by a confined process.

Letters: N rows, F numbers of one row, C classes, B bytes.
"""

import hashlib
import io
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from tasks.environment.settings import Settings
from tasks.journal.events.enrollment import DatasetSpec
from tasks.registry.confined.role import Role
from tasks.registry.confined.worker import Worker
from tasks.registry.opaque import cells, scoring_process
from tasks.registry.opaque.asked import Asked
from tasks.registry.opaque.scoring_process import (
    CLASSES,
    FILES,
    HARD,
    ODDS,
    ROWS,
    SCORED,
    SCORES,
    UNKNOWN,
)
from unlearning.errors import UnsupportedModelError
from unlearning.model.opaque import OpaqueModel, opaque_in

_PACKED = "files.zip"
_SECONDS = 1800.0
_MOST_CLASSES = 1 << 14
_MOST_WORKERS = 2
_NAME = re.compile(r"\w{1,80}", re.ASCII)
_workers: OrderedDict[tuple[Any, ...], Worker] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Described:
    """What a model says of itself."""

    kind: str
    """Name of its class."""
    classes: tuple[str, ...]
    """Its classes as text, in the order of its scores; empty if it does not say."""
    predicts_number: bool
    """Whether it says that it predicts numbers."""


class Scoring:
    """Asks the model in some files about rows."""

    def __init__(self, settings: Settings, asked: Asked) -> None:
        self._settings, self.asked = settings, asked

    def __call__(self, files: Tensor, rows: Tensor) -> Tensor:
        """Class scores float64 [N, C], or one number for each row [N].

        Raises:
            UnsupportedModelError: it fails on these rows, or gives something else.
            SettingsError: its library is not installed here, or nothing confines it.
            OutOfMemoryError: memory ran out.
        """
        spec, worker = self.asked.spec, self._worker()
        table = cells.decoded(rows, spec.features, spec.types)
        question = {
            "do": "score",
            "model": _name(files),
            "rows": ROWS,
            "target": spec.target,
            "classes": list(spec.classes),
        }
        given, wanted = {ROWS: _written(table)}, {SCORES: 8 * len(rows) * _MOST_CLASSES}
        ask = partial(worker.ask, question, seconds=_SECONDS, given=given, wanted=wanted)
        said, left = ask()
        if said.get("outcome") == UNKNOWN:
            self.described(files)
            said, left = ask()
        if said.get("outcome") != SCORED:
            raise self._refused(str(said.get("outcome")))
        return self._read(said.get("shape"), left[SCORES], len(rows)).to(rows.device)

    def described(self, files: Tensor) -> Described:
        """What the model in these files says of itself; raises as when it is asked."""
        data = files.detach().cpu().contiguous().numpy()
        question = {"do": "load", "model": _name(files), "files": _PACKED}
        said, _ = self._worker().ask(question, seconds=_SECONDS, given={_PACKED: data.data})
        kind, classes = str(said.get("kind", "")), said.get("classes") or []
        return Described(
            kind if _NAME.fullmatch(kind) else "a model",
            tuple(map(str, classes)),
            said.get("predicts") == "number",
        )

    def of(self, spec: DatasetSpec) -> "Scoring":
        """The same for rows of another specification."""
        return Scoring(self._settings, replace(self.asked, spec=spec))

    def _worker(self) -> Worker:
        asked = self.asked
        key = (self._settings.home, asked.model, asked.python, asked.private, asked.trusted)
        if key not in _workers:
            program = Path(scoring_process.__file__).read_bytes()
            role = Role(
                f"The model {asked.model}",
                "see that it takes rows as its table has them, and check --features",
                UnsupportedModelError,
                trusted=asked.trusted,
            )
            _workers[key] = Worker(
                self._settings,
                role,
                {"answers.py": program},
                python=asked.python,
                private=asked.private,
            )
        _workers.move_to_end(key)
        while len(_workers) > _MOST_WORKERS:
            _workers.popitem(last=False)
        return _workers[key]

    def _read(self, shape: object, data: bytes, count: int) -> Tensor:
        """What it left, if it is as many numbers as it says, and as many rows as were asked."""
        is_number = self.asked.spec.target == "number"
        if not isinstance(shape, list) or not shape or shape[0] != count:
            raise self._refused("")
        sizes = [size for size in shape if isinstance(size, int) and size > 0]
        wanted = 1 if is_number else 2
        if len(sizes) != len(shape) or len(sizes) != wanted or int(np.prod(sizes)) * 8 != len(data):
            raise self._refused("")
        return torch.from_numpy(np.frombuffer(data, dtype=np.float64).reshape(sizes).copy())

    def _refused(self, outcome: str) -> UnsupportedModelError:
        model, is_number = self.asked.model, self.asked.spec.target == "number"
        if outcome == HARD:
            return UnsupportedModelError(
                f"{model} names a class and gives no number for each; log it again with "
                "pyfunc_predict_fn='predict_proba', or in a flavour of its own library.",
                line="mlflow.….log_model(…, pyfunc_predict_fn='predict_proba')",
            )
        if outcome == CLASSES:
            return UnsupportedModelError(
                f"{model} knows other classes than it was enrolled with; train it on the classes "
                "of its table, or name them with --classes and enrol it again."
            )
        if outcome == FILES:
            return UnsupportedModelError(
                f"{model} looks for a file while it is asked, and its own are off the disk once it "
                "is loaded; read them in load_context, and log it again."
            )
        if outcome == ODDS:
            return UnsupportedModelError(
                f"{model} gives one number for each row that is no probability; let it give that "
                "of the second class, or a number for each class, and log it again."
            )
        wanted = "one number for each row" if is_number else "a number for each class of each row"
        return UnsupportedModelError(
            f"{model} does not give {wanted}; log a model that does, or change --loss."
        )


def opaque_model(settings: Settings, files: bytes, asked: Asked, library: str) -> OpaqueModel:
    """The model in packed files as a module."""
    data = torch.frombuffer(bytearray(files), dtype=torch.uint8)
    return OpaqueModel(data, Scoring(settings, asked), library)


def described(model: torch.nn.Module) -> Described | None:
    """What a model of another library says of itself; None if it is torch's own."""
    found = opaque_in(model)
    if found is None or not isinstance(found.scorer, Scoring):
        return None
    return found.scorer.described(found.files)


def asked_as(model: OpaqueModel, spec: DatasetSpec) -> OpaqueModel:
    """The same model, asked about rows of another specification."""
    scorer = model.scorer
    assert isinstance(scorer, Scoring)
    return OpaqueModel(model.files, scorer.of(spec), model.library)


def _name(files: Tensor) -> str:
    data = files.detach().cpu().contiguous().numpy()
    return hashlib.sha256(data.data).hexdigest()[:32]


def _written(table: pa.Table) -> bytes:
    written = io.BytesIO()
    with pa.ipc.new_file(written, table.schema) as writer:
        writer.write_table(table)
    return written.getvalue()
