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
    """Whether its source says so; otherwise the digest in its tag does, or its files."""
    is_by_files: bool = False
    """Whether only the bytes of its weights do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVersionsStated:
    """Certificates name these versions, which expunge does not look after."""

    model: str
    copies: tuple[CopySeen, ...]
    unknown: tuple[VersionSeen, ...]
    """Versions of the model itself that were neither enrolled nor made by expunge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOf:
    """The input example of a model version."""

    model: str
    version: int

    @property
    def name(self) -> str:
        """As people call the version."""
        return f"{self.model} version {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesCompared:
    """Input examples were compared with the rows to be erased from a table."""

    table: str
    compared: int
    """Versions with an example."""
    holding: tuple[ExampleOf, ...]
    """Those whose example is one of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesCleared:
    """No input example is a row to be erased any more, but for those that are left."""

    table: str
    compared: int
    replaced: tuple[ExampleOf, ...]
    """Those that were to be replaced, and tell nothing now; not those of versions that are gone."""
    left: tuple[ExampleOf, ...]
    """Those that could not be replaced."""
    why_not: str = ""
    """Why not every row could be compared; empty if every one was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangersStated:
    """Certificates name versions that say they learned from a table and were never enrolled."""

    table: str
    versions: tuple[VersionSeen, ...]
    why_not: str = ""
    """Why nobody knows; empty if they could be looked for."""


StatementFact = StrangersStated | OtherVersionsStated | ExamplesCompared | ExamplesCleared
"""What certificates state of a batch's surroundings."""
