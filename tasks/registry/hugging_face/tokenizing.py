"""The tokenizer among a version's files, as data: one JSON object that its library reads."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearning.errors import UnsupportedModelError

_FILE, _CONFIG = "tokenizer.json", "tokenizer_config.json"
_FOLDERS = ("components/tokenizer",)
_LONGEST = 512
"""Tokens of a text where nothing else says how many a model takes."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a model reads texts."""

    tokenizer: bytes
    """Its tokenizer, as the library `tokenizers` writes it."""
    padding: int
    """Id of the token that fills a row up."""
    pad_token: str
    """That token."""
    longest: int
    """Tokens that it takes at most."""


def text_form(directory: Path, base: Path, name: str) -> TextForm:
    """How the model in these files reads texts.

    Raises:
        UnsupportedModelError: its tokenizer is not there in the form of `tokenizers`, or has no
            token to fill rows up with.
    """
    for folder in (*(directory / one for one in _FOLDERS), base):
        if (folder / _FILE).is_file():
            break
    else:
        raise UnsupportedModelError(
            f"{name} has no {_FILE} among its files; log it with a fast tokenizer of transformers "
            "(AutoTokenizer gives one)."
        )
    config, model = (read_json(path) for path in (folder / _CONFIG, base / "config.json"))
    data = (folder / _FILE).read_bytes()
    token = config.get("pad_token")
    token = token.get("content") if isinstance(token, dict) else token
    padding = _ids(json.loads(data)).get(token or "", model.get("pad_token_id"))
    if not isinstance(padding, int):
        raise UnsupportedModelError(
            f"The tokenizer of {name} has no token to fill short texts up with; give it one "
            "(tokenizer.pad_token = tokenizer.eos_token), set the model's pad_token_id, and log it "
            "again."
        )
    limits = [config.get("model_max_length"), model.get("max_position_embeddings"), _LONGEST]
    longest = min(one for one in limits if isinstance(one, int) and one > 0)
    return TextForm(data, padding, token or "", longest)


def _ids(tokenizer: dict[str, Any]) -> dict[str, int]:
    """Ids of added tokens, and of all others where there is a plain vocabulary."""
    words = tokenizer.get("model", {}).get("vocab", {})
    known = dict(words) if isinstance(words, dict) else {}
    return known | {one["content"]: one["id"] for one in tokenizer.get("added_tokens", [])}


def read_json(path: Path) -> dict[str, Any]:
    """What a file of JSON says; nothing if it is not there, or no object."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
