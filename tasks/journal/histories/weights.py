"""Which weights a model had, which rows left it since, and where its alias may stand."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from unlearning.policy.retirement import RowsLeft, WeightsCame

Weights = tuple[int, str]
"""Number of a version, and the digest of its weights as it was recorded."""


@dataclass(frozen=True, slots=True)
class End:
    """The moment at which a batch's rows left the model, with its weights or with its alias."""

    number: int
    """Number of the event."""
    batch: str
    parent_version: int


@dataclass(slots=True)
class WeightsHistory:
    """A model's versions on record, told apart by what they remember.

    An erasure leaves behind every version that was on record before it, but the one that went on;
    while the model was out of service, none went on.
    """

    moments: list[WeightsCame | RowsLeft] = field(default_factory=list)
    """Weights that came and rows that left, oldest first."""
    attempts: dict[int, str] = field(default_factory=dict)
    """Every version that was ever enrolled or promoted, with the key of the attempt behind it."""
    files: dict[int, dict[str, str]] = field(default_factory=dict)
    """Digests of the files of each version by path, as they were recorded last."""
    known: dict[Weights, None] = field(default_factory=dict)
    """In the order of their latest mention."""
    below: set[Weights] = field(default_factory=set)
    """Versions whose weights remember somebody who was erased since."""
    current: Weights | None = None
    is_out: bool = False
    """Whether the model is out of service."""

    @property
    def digest(self) -> str:
        """Digest of the present weights; empty if there are none."""
        return self.current[1] if self.current else ""

    @property
    def above(self) -> tuple[Weights, ...]:
        """Versions that remember nobody, the latest one last."""
        remembering = {digest for _, digest in self.below}
        return tuple(one for one in self.known if one[1] not in remembering)

    @property
    def alias_floor(self) -> Weights | None:
        """Where the alias belongs; None if every version remembers."""
        return self.above[-1] if self.above else None

    def digest_of(self, version: int) -> str:
        """Digest of a version that is on record, as it was recorded last."""
        return next(digest for number, digest in reversed(self.known) if number == version)

    def came(
        self, version: int, digest: str, attempt: str = "", files: Mapping[str, str] | None = None
    ) -> None:
        """The model got these weights under this version, in files of these digests."""
        self.current = (version, digest)
        self.known.pop(self.current, None)
        self.known[self.current] = None
        self.attempts[version] = attempt
        self.files[version] = dict(files or {})
        self.is_out = False
        self.moments.append(WeightsCame(version, digest))

    def left(self, batch: str) -> None:
        """A batch's rows left the model."""
        self.moments.append(RowsLeft(batch))

    def left_former(self, batch: str, digests: frozenset[str]) -> None:
        """A batch's rows are gone that these earlier weights learned."""
        self.moments.append(RowsLeft(batch, digests))
        self.below |= {one for one in self.known if one[1] in digests}

    def erase(self) -> None:
        """Rows are erased: every version but the one in service is left behind."""
        went_on = {
            one
            for one in self.known
            if self.current and one[1] == self.current[1] and not self.is_out
        }
        self.below |= self.known.keys() - went_on
