"""Texts as rows of token ids, by a tokenizer that lies in the store under its digest.

Letters: N rows, L tokens of one row.
"""

import logging
from importlib import import_module
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
from cachetools import LRUCache

from tasks.environment.settings import Settings
from tasks.store.objects import MissingObjectError, ObjectStore
from tasks.store.opening import open_store
from unlearning.errors import ConflictError, SettingsError
from unlearning.policy.digests import bytes_digest

log = logging.getLogger("expunge.datasets")

_FOLDER, _ENDING = "tokenizers/", ".json"
_known: LRUCache[str, Any] = LRUCache(8)
_one_at_a_time = Lock()


def padded(tokenizer: bytes, *, padding: int, pad_token: str, length: int) -> bytes:
    """The tokenizer that gives exactly `length` ids for each text: cut off, or filled up.

    Raises:
        SettingsError: its library is not installed, or does not read it.
    """
    found = _read(tokenizer)
    found.enable_truncation(length)
    found.enable_padding(length=length, pad_id=padding, pad_token=pad_token)
    return found.to_str().encode()


def longest(tokenizer: bytes, texts: pa.ChunkedArray) -> int:
    """Tokens of the longest of these texts; 0 of none."""
    found = _read(tokenizer)
    found.no_truncation()
    found.no_padding()
    parts = (chunk.to_pylist() for chunk in texts.chunks if len(chunk))
    return max((len(one) for part in parts for one in found.encode_batch(part)), default=0)


def keep_tokenizer(store: ObjectStore, tokenizer: bytes) -> str:
    """Keep a tokenizer that pads; returns its key."""
    key = f"{_FOLDER}{bytes_digest(tokenizer)}{_ENDING}"
    store.put_if_absent(key, tokenizer)
    _remember(key, tokenizer)
    return key


def token_ids(texts: pa.Array, key: str, settings: Settings) -> np.ndarray:
    """Ids of texts without gaps, int64 [N, L].

    Raises:
        ConflictError: the tokenizer is gone from the store, or another file lies in its place.
        SettingsError: its library is not installed here.
    """
    found = _known.get(key) or _remember(key, _stored(key, settings))
    rows = [one.ids for one in found.encode_batch(texts.to_pylist())]
    return np.array(rows, dtype=np.int64)


def _stored(key: str, settings: Settings) -> bytes:
    remedy = "restore it, or enrol the models of its table again"
    try:
        data = open_store(settings.store_uri, settings).get(key)
    except MissingObjectError as error:
        raise ConflictError(f"{key} is gone from the store; {remedy}.") from error
    if key != f"{_FOLDER}{bytes_digest(data)}{_ENDING}":
        raise ConflictError(f"{key} holds another file than was enrolled; {remedy}.")
    return data


def _remember(key: str, tokenizer: bytes) -> Any:
    with _one_at_a_time:
        _known[key] = _read(tokenizer)
        return _known[key]


def _read(tokenizer: bytes) -> Any:
    try:
        library: Any = import_module("tokenizers")
    except ImportError as error:
        raise SettingsError(
            "A column of texts needs the package tokenizers; install transformers beside expunge, "
            "and run again."
        ) from error
    try:
        return library.Tokenizer.from_str(tokenizer.decode())
    except Exception as error:
        raise SettingsError(
            f"The installed tokenizers does not read the model's tokenizer ({type(error).__name__})"
            "; install the version in its requirements.txt, and run again."
        ) from error
