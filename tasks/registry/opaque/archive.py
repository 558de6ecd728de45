"""The files of a model as one row of bytes, the same bytes wherever they are packed."""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from tasks.registry.confined.left_files import TooLargeError, read_left
from unlearning.errors import MissingDataError

MLMODEL = "MLmodel"
_LEFT_OUT = ("input_example", "serving_input_example", "registered_model_meta")
"""How files begin that are no part of a model: rows of people, and what MLflow notes on its way."""
_KEPT = ("flavors", "mlflow_version", "signature", "type_hint_from_example")
"""What MLflow says of a model itself, and not of the place and hour in which it was logged."""
_THEN = (1980, 1, 1, 0, 0, 0)


def packed(folder: Path, most_bytes: int | None = None) -> bytes:
    """The files below a folder as a zip that depends on their names and bytes alone.

    Not packed are input examples, links and what is no file. Memory for all of them.

    Raises:
        TooLargeError: they are larger than that together.
        MissingDataError: MLflow's own file among them is missing or damaged.
    """
    most = most_bytes if most_bytes is not None else 1 << 62
    written = io.BytesIO()
    with ZipFile(written, "w", ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
            name = path.relative_to(folder).as_posix()
            if not path.is_file() or path.is_symlink() or "__pycache__" in path.parts:
                continue
            if path.name.startswith(_LEFT_OUT):
                continue
            data = _described(path) if name == MLMODEL else read_left(path, most)
            most -= len(data)
            if most < 0:
                raise TooLargeError
            archive.writestr(ZipInfo(name, _THEN), data)
    return written.getvalue()


def description(files: bytes) -> dict[str, object]:
    """What MLflow says of the model in packed files.

    Raises:
        MissingDataError: they are no files of a model.
    """
    try:
        with ZipFile(io.BytesIO(files)) as archive:
            return json.loads(archive.read(MLMODEL))
    except (BadZipFile, KeyError, ValueError) as error:
        raise MissingDataError(
            f"The files of a model are damaged ({type(error).__name__}); restore them, or enrol "
            "another version."
        ) from error


def unpack(files: bytes, folder: Path) -> None:
    """Write packed files below a folder.

    Raises:
        MissingDataError: they are no files of a model, or would lie elsewhere.
    """
    description(files)
    with ZipFile(io.BytesIO(files)) as archive:
        for name in archive.namelist():
            if not (folder / name).resolve().is_relative_to(folder.resolve()):
                raise MissingDataError("Files of a model lie outside of it; enrol another version.")
        archive.extractall(folder)


class FilesFlavor:
    """Packed files, in the place of a flavour of MLflow's, which logs them as they are."""

    def __init__(self, files: bytes) -> None:
        self._files = files

    def save_model(self, path: str, mlflow_model: Any) -> None:
        """Called by MLflow with a temporary folder of ours, and with what it notes of the model."""
        from mlflow.models import Model

        Path(path).mkdir(parents=True, exist_ok=True)
        unpack(self._files, Path(path))
        known = Model.load(path)
        mlflow_model.flavors, mlflow_model.signature = known.flavors, known.signature
        mlflow_model.mlflow_version = known.mlflow_version
        mlflow_model.save(str(Path(path) / MLMODEL))


def _described(path: Path) -> bytes:
    """As JSON, which is YAML, too, in an order of its own."""
    from mlflow.models import Model

    try:
        found = Model.load(str(path.parent)).to_dict()
        kept = {name: found[name] for name in _KEPT if found.get(name)}
        return json.dumps(kept, sort_keys=True, default=str).encode()
    except Exception as error:
        raise MissingDataError(
            f"{MLMODEL} of a version is damaged ({type(error).__name__}); restore it, or enrol "
            "another version."
        ) from error
