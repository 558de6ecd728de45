"""Save what a recipe made as MLflow does: laid beside `recipe_process`, for models of any library.

It needs mlflow and the model's own library, and nothing of expunge. In `form.json` stands how the
served model was saved; what the recipe made is saved alike, without a row.
"""

import importlib
import inspect
import json
import os
import sys
from pathlib import Path
from typing import Any

FORM, MODEL, CODE = "form.json", "model", "own_code"
_CLASSES = {"xgboost": ("Booster", "XGBModel"), "lightgbm": ("Booster", "LGBMModel")}


def save(made: Any) -> dict[str, Any] | None:
    """Save it as the form says; what is wrong with it, or nothing."""
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"  # of what was made here
    form = json.loads(Path(FORM).read_text())
    library = form["library"]
    if not _is_of(made, library):
        return {"outcome": "other library", "what": type(made).__name__}
    import cloudpickle
    from mlflow.models import ModelSignature

    cloudpickle.register_pickle_by_value(sys.modules["recipe"])
    signature = form["signature"]
    options = {
        **form["options"],
        "path": MODEL,
        "signature": ModelSignature.from_dict(signature) if signature else None,
        "pip_requirements": form["requirements"],
        "code_paths": sorted(map(str, Path(CODE).glob("*"))) or None,
    }
    module = "pyfunc" if library == "python_function" else library
    model = "python_model" if library == "python_function" else _first(module)
    save_model = importlib.import_module(f"mlflow.{module}").save_model
    given = {name: value for name, value in options.items() if value is not None}
    save_model(**{model: made}, **given)
    return None


def _first(module: str) -> str:
    found = importlib.import_module(f"mlflow.{module}").save_model
    return next(iter(inspect.signature(found).parameters))


def _is_of(made: Any, library: str) -> bool:
    if library == "sklearn":
        from sklearn.base import BaseEstimator

        return isinstance(made, BaseEstimator)
    if library in _CLASSES:
        of = importlib.import_module(library)
        kinds = (getattr(of, name, None) for name in _CLASSES[library])
        return any(kind is not None and isinstance(made, kind) for kind in kinds)
    from mlflow.pyfunc import PythonModel

    return isinstance(made, PythonModel) or callable(made)
