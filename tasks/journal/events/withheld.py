"""Which requests leave a batch that is at work: held, left to a person, or gone ahead of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsWithheld:
    """Requests left it: because of a legal hold, or for another reason."""

    records: tuple[str, ...]
    why: str = ""
    """Empty for a legal hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsSentAhead:
    """Requests left it for a batch of their own, since nothing that it waits for concerns them."""

    to: str
    """That batch."""
    as_of: dict[str, int]
    """The records, each with the number of its latest event then."""
    models: tuple[str, ...] = ()
    """Models with a plan that still counted them: it is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMatch:
    """A request whose id is nearly that of rows which it does not name, or of other kinds."""

    record: str
    rows: int
    subjects: int
    kinds: tuple[str, ...] = ()
    """Other kinds of subjects that have exactly its id, if it is no near match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMatchesSought:
    """Ids that are spelled nearly like those asked for were looked for in the tables."""

    versions: dict[str, tuple[int, ...]]
    """Versions of each table that were looked into, the newest first."""
    unclear: tuple[NearMatch, ...]
    """Requests that left it until a person settles them."""
    exact: tuple[str, ...] = ()
    """Records that a person has settled: they mean exactly their ids."""


LeavingFact = RequestsWithheld | NearMatchesSought | RequestsSentAhead
"""What takes requests out of a batch."""
