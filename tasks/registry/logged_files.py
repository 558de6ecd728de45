"""New versions logged in MLflow: in the form of the one they come from, or not pickled."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.environment.settings import Settings
from tasks.foreign_errors import translated
from tasks.registry import downloads, trial
from tasks.registry.hugging_face.reading import HubFiles
from tasks.registry.hugging_face.writing import SuccessorFlavor
from tasks.registry.model_files import LoadedModel
from tasks.registry.modules import pickle_allowed
from tasks.registry.opaque.archive import FilesFlavor

if TYPE_CHECKING:  # who only asks for a status must not wait for torch
    import numpy as np
    from torch import nn


@contextmanager
def _examples_unsaid() -> Iterator[None]:
    """A block in which MLflow does not print an input example that it could not try.

    It is a row of somebody's.
    """
    logger = logging.getLogger("mlflow.models.model")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def log_successor(
    settings: Settings, run_id: str, original: LoadedModel, module: "nn.Module", example: Any
) -> str:
    """Log a model in the form, signature and requirements of the original; returns its URI."""
    import mlflow

    from unlearning.model.adapted import inner_of
    from unlearning.model.opaque import opaque_in

    if (opaque := opaque_in(module)) is not None:
        return _log_files(settings, run_id, opaque.files.numpy().tobytes())

    if original.hub is not None:
        return _log_hub(settings, run_id, original, original.hub, inner_of(module))
    # MLflow tries what it logged; a pickled model was trusted when it was loaded.
    with (
        downloads.scratch(settings) as folder,
        downloads.temporary_files_here(settings),
        pickle_allowed(not original.is_exported),
        _examples_unsaid(),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = mlflow.pytorch.log_model(
            inner_of(module),
            name="model",
            signature=original.signature,
            input_example=example,
            serialization_format="pt2" if original.is_exported else "pickle",
            pip_requirements=None if original.requirements is None else [*original.requirements],
            code_paths=_written(original.code, folder / "code") or None,
            extra_files=_written(_by_name(original.extra), folder / "extra") or None,
        )
    return info.model_uri


def _log_hub(
    settings: Settings, run_id: str, original: LoadedModel, hub: HubFiles, module: "nn.Module"
) -> str:
    import mlflow
    from mlflow.models import Model

    with (
        downloads.temporary_files_here(settings),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = Model.log(
            artifact_path=None,
            name="model",
            flavor=SuccessorFlavor(),
            module=module,
            files=hub,
            signature=original.signature,
        )
    return info.model_uri


def _log_files(settings: Settings, run_id: str, files: bytes) -> str:
    """Log the files of a model of another library, which say themselves what they are."""
    import mlflow
    from mlflow.models import Model

    with (
        downloads.temporary_files_here(settings),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = Model.log(artifact_path=None, name="model", flavor=FilesFlavor(files))
    return info.model_uri


def _by_name(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the folder, which MLflow gives them."""
    return {Path(name).name: data for name, data in files.items()}


def _written(code: dict[str, bytes], folder: Path) -> list[str]:
    for name, data in code.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return [str(path) for path in sorted(folder.iterdir())] if code else []


class _Flavor:
    """MLflow's own for torch; what it exported is noted before it leaves this machine."""

    def save_model(self, path: str, **options: Any) -> None:
        """Called by MLflow with a temporary folder of ours."""
        import mlflow

        mlflow.pytorch.save_model(path=path, **options)
        for file in Path(path).rglob("*.pt2"):
            trial.note_exported(file)


def log_new(settings: Settings, run_id: str, module: "nn.Module", example: "np.ndarray") -> str:
    """Log a freshly trained model in MLflow's pt2 form, which is not pickled; returns its URI."""
    import mlflow
    import torch
    from mlflow.models import Model, infer_signature

    outputs = module.eval()(torch.from_numpy(example)).detach().numpy()
    with (
        downloads.temporary_files_here(settings),
        _examples_unsaid(),
        translated("MLflow"),
        mlflow.start_run(run_id=run_id),
    ):
        info = Model.log(
            artifact_path=None,
            name="model",
            flavor=_Flavor(),
            pytorch_model=module,
            signature=infer_signature(example, outputs),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
        )
    return info.model_uri
