"""Kinds of subjects: the same id names one subject of each kind, and those are different people."""

import re
from typing import NamedTuple

from unlearning.policy.digests import pseudonym

PERSON = "person"
"""The kind of whoever names none."""
KIND = r"^[a-z][a-z0-9_-]{0,31}\Z"


class SubjectColumn(NamedTuple):
    """The column of a table that says whose a row is, and the kind of subjects it names."""

    name: str
    kind: str = PERSON


def is_kind(text: str) -> bool:
    """Whether the text can name a kind: a small letter, then small letters, digits, `_` or `-`."""
    return re.match(KIND, text) is not None


def kind_pseudonym(key: bytes, kind: str, subject_id: str) -> str:
    """Keyed pseudonym of a subject of this kind; one id has another pseudonym in every kind.

    A person's is that of the id alone, any other kind's is that of the kind, a zero and the id: no
    id holds a control character.
    """
    return pseudonym(key, subject_id if kind == PERSON else f"{kind}\0{subject_id}")
