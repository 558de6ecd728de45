"""Tokenizers in the store; `make models` has tests that need their library."""

import sys

import pyarrow as pa
import pytest

from tasks.datasets import texts
from unlearning.errors import ConflictError, SettingsError
from unlearning.policy.digests import bytes_digest

TEXTS = pa.array(["one", "two"])


def test_a_tokenizer_that_is_gone_is_missed_by_name(services):
    with pytest.raises(ConflictError, match=r"tokenizers/abc\.json is gone from the store"):
        texts.token_ids(TEXTS, "tokenizers/abc.json", services.settings)


def test_another_file_in_its_place_is_not_read(services):
    key = f"tokenizers/{bytes_digest(b'mine')}.json"
    services.store.put(key, b"yours")
    with pytest.raises(ConflictError, match="holds another file than was enrolled"):
        texts.token_ids(TEXTS, key, services.settings)


def test_without_the_library_it_is_said_what_to_install(services, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(SettingsError, match="install transformers beside expunge"):
        texts.keep_tokenizer(services.store, b"{}")
