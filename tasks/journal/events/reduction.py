"""What happens to the request files of a batch that is closed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionIntended:
    """Its request files are about to be reduced to what is open."""

    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsReduced:
    """Of its request files nothing is kept but rows of open requests, and what was unusable."""

    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEmptyingIntended:
    """Its unusable rows and files are about to be deleted."""

    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEmptied:
    """Its unusable rows and files are deleted, for their days are over."""

    files: int


Reducing = ReductionIntended | RequestsReduced | QuarantineEmptyingIntended | QuarantineEmptied
