"""When a run could not take a batch further, and that it moves again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStoodStill:
    """A run could not take it further; the next one tries again."""

    reason: str
    """What stood in the way and what to do, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandstillEnded:
    """A run took it as far as it can get by itself."""


HaltFact = BatchStoodStill | StandstillEnded
"""Whether runs get on with a batch."""
