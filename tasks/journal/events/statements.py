"""What certificates state beside what was done, as it was found when they were made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSeen:
    """A version in MLflow's registry, with the aliases that it had."""

    model: str
    """Name under which it is registered."""
    version: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopySeen(VersionSeen):
    """A version that holds the weights of one that remembers."""

    original: int
    """The version of the model whose weights they are."""
    is_by_source: bool
    """Whether its source says so; otherwise only the digest in its tag does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersionsStated:
    """Certificates name these versions, which expunge does not look after."""

    model: str
    copies: tuple[CopySeen, ...]
    unknown: tuple[VersionSeen, ...]
    """Versions of the model itself that were neither enrolled nor made by expunge."""


StatementFact = OtherVersionsStated
"""What certificates state of a batch's surroundings."""
