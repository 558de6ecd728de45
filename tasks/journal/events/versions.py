"""What happens to a model's alias and to its old versions, in the model's stream."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChangeIntended:
    """The alias is about to leave a version that remembers erased people, or to be given anew."""

    found: int | None
    """The version that holds it; None if none does."""
    floor: int | None
    """The version to put it on; None if none without the erased is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRestored:
    """The alias is back on a version without the erased."""

    found: int
    floor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasGiven:
    """The alias is on a version because its enrolment asked for that."""

    version: int
    before: int | None
    """The version that held it; None if none did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasLost:
    """The alias is on no version, since none without the erased is left."""

    found: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """Where files of a version lie."""

    uri: str
    is_own: bool
    """Whether nothing else lies there, so that all of it may be deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retirement:
    """An old version that remembers erased people, and all that must go with it."""

    model: str
    version: int
    digest: str
    batch: str
    why: str
    attempt: str
    """Key of the attempt that made it; empty if somebody else did."""
    source: str
    aliases: tuple[str, ...]
    logged_models: tuple[str, ...]
    places: tuple[FilePlace, ...]
    retired_on: date
    purge_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementIntended(_Retirement):
    """An old version is about to be retired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRetired(_Retirement):
    """An old version is out of use, and will be purged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceBefore:
    """A place of files and how many it held."""

    place: str
    before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLookedAt(PlaceBefore):
    """A place of files before a purge and after it."""

    after: int
    sees_old_versions: bool = True
    """Whether old object versions could be seen there; behind a tracking server nobody can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPurgeIntended:
    """A retired version is about to be deleted with all its files."""

    model: str
    version: int
    digest: str
    logged_models: tuple[str, ...]
    places: tuple[PlaceBefore, ...]
    folders: tuple[PlaceBefore, ...]
    """Where the store itself may keep weights of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPurged:
    """A retired version is gone, and every place was looked at afterwards."""

    model: str
    version: int
    digest: str
    logged_models: tuple[str, ...]
    looked_at: tuple[PlaceLookedAt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionExamined:
    """Files of a version were listed, and some read: they may be copies of our weights."""

    model: str
    """The registered model that has it: this one, or any other."""
    version: int
    source: str
    """Where its files come from, in one form for all addresses of the same files."""
    sizes: dict[str, int]
    """Bytes of its files by path."""
    digests: dict[str, str]
    """SHA-256 of those that were as large as one of ours that remembers erased people."""
    has_every_name: bool = False
    """Whether files of any name were listed, or those alone that were named like weights."""


VersionFact = (
    AliasChangeIntended
    | AliasRestored
    | AliasGiven
    | AliasLost
    | RetirementIntended
    | VersionRetired
    | VersionPurgeIntended
    | VersionPurged
    | VersionExamined
)
"""What happens to old versions and the alias."""
