"""Load models of other libraries and score rows by them: what a confined worker answers.

Laid beside the worker's program as its `answers`, and run by whatever Python the owner named. It
needs mlflow, pyarrow, numpy and the model's own library, and nothing of expunge. Class scores are
logarithms of probabilities, cut off at `LEAST`, or what the library calls margins.
"""

import importlib
import json
import os
import shutil
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

LEAST = 1e-7
"""Probabilities below it count as it, so that logarithms stay finite."""
ROWS, SCORES = "rows.arrow", "scores.bin"
SCORED, UNKNOWN, FILES = "scored", "unknown", "files"
HARD, UNFIT, CLASSES, ODDS = "hard", "unfit", "classes", "odds"
_ROUNDED = 1e-3
NATIVE = ("sklearn", "xgboost", "lightgbm")
"""Flavours that are asked for what they know; any other one is asked by MLflow's `predict`."""
_MOST_MODELS = 16
_AXES = 2  # rows, classes
_models: dict[str, "_Model"] = {}


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """What was asked: to load a model, or to score rows by one that is loaded."""
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"  # nothing is in reach here
    name = question["model"]
    if question["do"] == "load":
        while len(_models) >= _MOST_MODELS:
            evicted = next(iter(_models))
            del _models[evicted]
            _remove(_folder(evicted))
        _models[name] = _loaded(name, question["files"])
        return _models[name].described()
    if name not in _models:
        return {"outcome": UNKNOWN}
    try:
        values = _models[name].answered(question)
    except RefusalError as refusal:
        return {"outcome": refusal.args[0], "what": refusal.args[1]}
    except FileNotFoundError:
        return {"outcome": FILES}
    import numpy as np

    values = np.ascontiguousarray(values, dtype=np.float64)
    values.tofile(SCORES)
    return {"outcome": SCORED, "shape": list(values.shape)}


class RefusalError(Exception):
    """The model answers with something that is no scores; what it is, and of which form."""


def _loaded(name: str, files: str) -> "_Model":
    folder = _folder(name)
    try:
        with zipfile.ZipFile(files) as archive:
            archive.extractall(folder)
        flavours = json.loads((folder / "MLmodel").read_text())["flavors"]
        flavour = next((one for one in NATIVE if one in flavours), "pyfunc")
        native = importlib.import_module(f"mlflow.{flavour}").load_model(str(folder))
    except BaseException:
        _remove(folder)
        raise
    known = flavours[flavour if flavour in NATIVE else "python_function"]
    _remove(folder, but=str(known.get("code")))  # which may be imported later
    return _Model(native, flavour)


def _folder(name: str) -> Path:
    return Path("models") / name


def _remove(folder: Path, but: str = "") -> None:
    """Remove a model's files: all of it is in memory, and they remember what it learned from."""
    for one in [one for one in folder.glob("*") if one.name != but]:
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one, ignore_errors=True)
        else:
            one.unlink(missing_ok=True)
    with suppress(OSError):  # code stays in it
        folder.rmdir()


class _Model:
    def __init__(self, native: Any, flavour: str) -> None:
        self.native, self.flavour = native, flavour

    def described(self) -> dict[str, Any]:
        """Name of its class, its classes, and whether it says that it predicts numbers."""
        native: Any = self.native
        if self.flavour == "pyfunc":
            python = getattr(native, "_model_impl", native)
            native = getattr(python, "python_model", python)
        kind, name = "", type(native).__name__
        if self.flavour == "sklearn":
            from sklearn.base import is_regressor

            kind = "number" if is_regressor(native) else ""
        elif name.endswith("Regressor") or _objective(native).startswith(("reg:", "regression")):
            kind = "number"
        return {"kind": name, "classes": self.classes(), "predicts": kind}

    def classes(self) -> list[str] | None:
        """Classes in the order of its columns, as text; None if it does not say."""
        import pyarrow as pa

        try:
            found = getattr(self.native, "classes_", None)
            return None if found is None else pa.array(found).cast(pa.string()).to_pylist()
        except (AttributeError, TypeError, ValueError, pa.ArrowInvalid):
            return None

    def answered(self, question: dict[str, Any]) -> Any:
        import numpy as np

        rows = self._given(question)
        if question["target"] == "number":
            found = np.asarray(self._predicted(rows))
            if not np.issubdtype(found.dtype, np.number) or found.size != len(rows):
                raise RefusalError(UNFIT, _form(found))
            return found.reshape(-1)
        scores, wanted = self._scores(rows), question["classes"]
        known = _named(self.classes(), wanted)
        if not wanted or not known:
            if wanted and scores.shape[1] != len(wanted):
                raise RefusalError(UNFIT, _form(scores))
            return scores
        if not set(known) <= set(wanted) or scores.shape[1] != len(known):
            raise RefusalError(CLASSES, f"{len(known)}")
        # Who learned from rows without a class gives it no chance.
        least = scores.min(axis=1, keepdims=True) if len(known) > 1 else np.zeros((len(rows), 1))
        placed = np.repeat(np.minimum(least, np.log(LEAST)), len(wanted), axis=1)
        placed[:, [wanted.index(one) for one in known]] = scores
        return placed

    def _given(self, question: dict[str, Any]) -> Any:
        import pyarrow as pa

        table = pa.ipc.open_file(question["rows"]).read_all()
        first = table.column(0).combine_chunks()
        if pa.types.is_fixed_size_list(first.type):
            return first.flatten().to_numpy(zero_copy_only=False).reshape(len(first), -1)
        rows = table.to_pandas()
        names = getattr(self.native, "feature_names_in_", None)
        if names is not None and set(names) <= set(rows.columns):
            rows = rows[list(names)]
        return rows

    def _predicted(self, rows: Any) -> Any:
        return self.native.predict(self._matrix(rows))

    def _matrix(self, rows: Any) -> Any:
        if self.flavour == "xgboost" and type(self.native).__name__ == "Booster":
            import xgboost  # pyright: ignore[reportMissingImports] - perhaps of the owner alone

            has_names = self.native.feature_names is not None
            return xgboost.DMatrix(
                rows if has_names or not hasattr(rows, "to_numpy") else rows.to_numpy()
            )
        return rows

    def _scores(self, rows: Any) -> Any:
        """Class scores [N, C] as float64."""
        import numpy as np

        model = self.native
        if self.flavour == "pyfunc":
            return _of_answer(model.predict(rows), len(rows))
        if hasattr(model, "predict_proba"):
            return _logarithms(np.asarray(model.predict_proba(rows), dtype=np.float64), len(rows))
        if hasattr(model, "decision_function"):
            return _margins(model.decision_function(rows), len(rows))
        if type(model).__name__ == "Booster":
            option = "output_margin" if self.flavour == "xgboost" else "raw_score"
            return _margins(model.predict(self._matrix(rows), **{option: True}), len(rows))
        raise RefusalError(HARD, type(model).__name__)


def _named(known: list[str] | None, wanted: list[str]) -> list[str] | None:
    """Classes that it knows by their numbers alone, as XGBoost does, by their names."""
    if not known or not all(one.isdecimal() and int(one) < len(wanted) for one in known):
        return known
    return known if set(known) <= set(wanted) else [wanted[int(one)] for one in known]


def _objective(model: Any) -> str:
    """What a booster was trained for; empty of anything else."""
    if hasattr(model, "save_config"):  # XGBoost
        return str(json.loads(model.save_config())["learner"]["objective"]["name"])
    return str(getattr(model, "params", {}).get("objective", ""))  # LightGBM


def _of_answer(answer: Any, count: int) -> Any:
    """Class scores of what MLflow's `predict` gives: a number per class, or a probability per row.

    A row of numbers that lie in [0, 1] and add up to 1 are probabilities, whatever others are. One
    number for a row may be two things, so it must be a probability.
    """
    import numpy as np

    try:
        values = np.asarray(answer)
        if values.dtype == object:
            values = values.astype(np.float64)
    except (TypeError, ValueError):
        raise RefusalError(HARD, type(answer).__name__) from None
    if not np.issubdtype(values.dtype, np.floating):
        raise RefusalError(HARD, str(values.dtype))
    values = values.astype(np.float64)
    within = (values >= 0) & (values <= 1)
    if values.size == count:
        if not within.all():
            raise RefusalError(ODDS, _form(values))
        values = values.reshape(-1, 1)
        return _logarithms(np.concatenate([1 - values, values], axis=1), count)
    scores = _margins(values, count)
    is_shares = within.all(axis=1) & (np.abs(values.sum(axis=1) - 1) < _ROUNDED)
    return np.where(is_shares[:, None], _logarithms(values, count), scores)


def _logarithms(values: Any, count: int) -> Any:
    import numpy as np

    if values.ndim != _AXES or len(values) != count:
        raise RefusalError(UNFIT, _form(values))
    return np.log(np.clip(values, LEAST, 1.0))


def _margins(values: Any, count: int) -> Any:
    """Of one log-odds for each row both scores."""
    import numpy as np

    values = np.asarray(values, dtype=np.float64)
    if values.size == count:
        values = values.reshape(-1)
        values = np.stack([np.zeros(count), values], axis=1)
    if values.ndim != _AXES or len(values) != count:
        raise RefusalError(UNFIT, _form(values))
    return values


def _form(values: Any) -> str:
    return f"shape {list(values.shape)}"
