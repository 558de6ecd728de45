"""Digests and keys: what a model version descends from, in a form that can be compared."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import rfc8785

SHORT = 12
"""Hex digits of a digest that appear in keys and names."""
KEY_BYTES = 32
"""Bytes of one pseudonym key; a secret of several has the oldest first."""
HALF = 16
"""Hex digits of half a pseudonym."""


def facts_digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping of plain values as canonical JSON (RFC 8785).

    Keys and digests that are kept for ever are made of it, so that any language can make them anew.

    Raises:
        rfc8785.CanonicalizationError: a value is no JSON, such as NaN, or a whole number beyond
            2^53, which other languages would round.
    """
    return hashlib.sha256(rfc8785.dumps(dict(facts))).hexdigest()


def bytes_digest(data: bytes) -> str:
    """SHA-256 of some bytes."""
    return hashlib.sha256(data).hexdigest()


def keyed_digest(key: bytes, facts: Mapping[str, Any]) -> str:
    """HMAC-SHA-256 of a mapping of plain values as canonical JSON (RFC 8785).

    For what tells of people, such as the name of a file: a plain digest of a guessable text could
    be reversed by trying all texts.

    Raises:
        rfc8785.CanonicalizationError: as `facts_digest`.
    """
    return hmac.new(key, rfc8785.dumps(dict(facts)), hashlib.sha256).hexdigest()


def pseudonym(key: bytes, subject_id: str) -> str:
    """Keyed pseudonym of a subject: HMAC-SHA-256(key, id), first 128 bits.

    A plain hash of a guessable id could be reversed by trying all ids; this one needs the key. Of
    a secret of several keys, each later one makes it anew (`rekeyed`).
    """
    first, *later = keys_of(key)
    who = _keyed(first, subject_id)[: 2 * HALF]
    for one in later:
        who = rekeyed(one, who)
    return who


def keys_of(secret: bytes) -> list[bytes]:
    """The keys of a secret, oldest first."""
    starts = range(0, max(len(secret), 1), KEY_BYTES)
    return [secret[start : start + KEY_BYTES] for start in starts]


def rekeyed(key: bytes, made: str) -> str:
    """The pseudonym under one key more, made of the one before: nobody needs the id for it.

    Its first half follows from the first half of the other one, for rosters keep no more than that.
    """
    return rekeyed_half(key, made[:HALF]) + _keyed(key, made)[:HALF]


def rekeyed_half(key: bytes, half: str) -> str:
    """The first half of `rekeyed`, made of the first half of the pseudonym before."""
    return _keyed(key, half)[:HALF]


def _keyed(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
