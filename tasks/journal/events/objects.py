"""What happens to objects that rows of a batch point to, by the prefix that they lie below."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectErasureIntended:
    """Objects that its rows pointed to are about to be deleted."""

    prefix: str
    lists: int
    """Number of the last list of addresses that this round works off."""
    found: int
    """How many of the objects were there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectsErased:
    """No object is left that its rows alone pointed to by declared columns: one round."""

    prefix: str
    tables: tuple[str, ...]
    """Those whose rows pointed there."""
    lists: int
    erased: int
    """Objects that are gone, with every version that a bucket kept of them."""
    shared: int
    """Objects that were left, since rows of others point to them too."""
    missing: int
    """Addresses behind which there was nothing."""
    left_over: int = 0


ObjectFact = ObjectErasureIntended | ObjectsErased
