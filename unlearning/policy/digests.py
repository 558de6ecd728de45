"""Digests and keys: what a model version descends from, in a form that can be compared."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

SHORT = 12
"""Hex digits of a digest that appear in keys and names."""


def facts_digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of plain values, independent of the order of its keys."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_digest(data: bytes) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def pseudonym(key: bytes, subject_id: str) -> str:
    """Keyed pseudonym of a subject: HMAC-SHA-256(key, id), first 128 bits.

    A plain hash of a guessable id could be reversed by trying all ids; this one needs the key.
    """
    return hmac.new(key, subject_id.encode(), hashlib.sha256).hexdigest()[:32]
