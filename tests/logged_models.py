"""Models as people log them, in the real MLflow of a test's home."""

from pathlib import Path
from typing import Literal

import mlflow
import numpy as np
from torch import nn

WIDTH = 40
"""Features of the tests' rows."""


def log_model(
    services,
    module: nn.Module,
    *,
    form: Literal["pickle", "pt2"] = "pickle",
    model="income",
    alias=True,
    example=None,
    **more,
) -> int:
    """Log a model by MLflow's own call, register it, put it into service; gives its version."""
    example = np.zeros((2, WIDTH), dtype=np.float32) if example is None else example
    place = services.settings.home / "theirs"
    mlflow.set_tracking_uri(services.settings.tracking_uri)
    found = mlflow.get_experiment_by_name("theirs")
    experiment = (
        found.experiment_id if found else mlflow.create_experiment("theirs", place.as_uri())
    )
    with mlflow.start_run(experiment_id=experiment):
        mlflow.pytorch.log_model(
            module.eval(),
            name="model",
            input_example=example,
            registered_model_name=model,
            serialization_format=form,
            pip_requirements=["torch"],
            **more,
        )
    versions = services.registry.client.search_model_versions(f"name = '{model}'")
    version = max(int(one.version) for one in versions)
    if alias:
        services.registry.set_alias(model, version)
    return version


def log_classifier(services, pipeline, *, model="theirs", **more) -> int:
    """Log a model of transformers, register it, put it into service; gives its version."""
    mlflow.set_tracking_uri(services.settings.tracking_uri)
    experiment = mlflow.create_experiment("theirs", (services.settings.home / "theirs").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        mlflow.transformers.log_model(
            pipeline,
            name="model",
            registered_model_name=model,
            pip_requirements=["transformers"],
            **more,
        )
    services.registry.set_alias(model, 1)
    return 1


def every_byte(*folders: Path) -> dict[str, bytes]:
    """Every file below the folders."""
    return {
        str(path): path.read_bytes()
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
