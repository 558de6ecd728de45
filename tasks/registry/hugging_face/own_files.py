"""The files of a version of transformers: what is refused, and what its successors take over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.registry import recorded_files
from tasks.registry.hugging_face.tokenizing import read_json
from unlearning.errors import UnsupportedModelError

WEIGHTS, ADAPTER_WEIGHTS = "model*.safetensors*", "adapter_model.safetensors"
AGAIN = "log it again with mlflow.transformers.log_model"
_RUNS_CODE = (".py", ".bin", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".msgpack", ".ckpt")

_KEPT = (
    *("MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", "inference_config.txt"),
    *("LICENSE*", "README.md", "model_card.md", "model_card_data.yaml"),
    *("*config.json", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "bpe.codes", "dict.txt", "emoji.json"),
    *("entity_vocab.json", "normalizer.json", "chat_template.*", "word_*.json"),
    *("spiece.model", "sentencepiece*.model", "spm*.model", "tokenizer.model", "tiktoken.model"),
)
"""Names of all that MLflow and the library write of a classifier, but for its weights and rows."""


def refuse_code(directory: Path, flavor: Mapping[str, Any], name: str) -> None:
    """Refuse files that would be run, and weights that would be unpickled.

    Raises:
        UnsupportedModelError: there are some; `name` says in it whose they are.
    """
    found = [path.name for path in directory.rglob("*") if path.suffix in _RUNS_CODE]
    if flavor.get("code") or (directory / "code").exists():
        found.append("code")
    if found:
        raise UnsupportedModelError(
            f"{name} brings code or pickled weights ({found[0]}), which expunge does not run for "
            "models of transformers; log a class of the library, saved as safetensors."
        )
    refuse_asking(directory, name)


def refuse_asking(folder: Path, name: str) -> None:
    """Refuse configurations that name classes outside of the library.

    Raises:
        UnsupportedModelError: there is one; `name` says in it whose it is.
    """
    for path in folder.rglob("*config.json"):
        if read_json(path).get("auto_map"):
            raise UnsupportedModelError(
                f"{name} asks for code of its own (auto_map in {path.name}), which expunge does "
                "not run; log a class of the library transformers."
            )


def within(directory: Path, inside: str, name: str) -> Path:
    """The folder of this path among a version's files.

    Raises:
        UnsupportedModelError: it is not there, or lies elsewhere.
    """
    folder = place_within(directory, inside, name)
    if not folder.is_dir():
        raise _elsewhere(name)
    return folder


def place_within(directory: Path, inside: str, name: str) -> Path:
    """Where the files of this path lie, be they there yet or not.

    Raises:
        UnsupportedModelError: outside of the version's folder.
    """
    place = (directory / inside).resolve()
    if not place.is_relative_to(directory.resolve()):
        raise _elsewhere(name)
    return place


def _elsewhere(name: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{name} names files outside of its own folder, or that are not there; {AGAIN}."
    )


def taken_over(directory: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files that a successor takes over, by their paths, and the paths of those of other names.

    Those may hold weights or rows: nothing tells what is in a file but its name. Weights and
    examples that the library and MLflow write are in neither.
    """
    kept: dict[str, bytes] = {}
    left: list[str] = []
    for path in sorted(one for one in directory.rglob("*") if one.is_file()):
        if recorded_files.is_left_out(path.name):
            continue
        inside = path.relative_to(directory).as_posix()
        is_weight = path.match(WEIGHTS) or path.name == ADAPTER_WEIGHTS
        if any(path.match(one) for one in _KEPT):
            kept[inside] = path.read_bytes()
        elif not is_weight:
            left.append(inside)
    return kept, tuple(left)
