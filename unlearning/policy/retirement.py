"""Which old model versions still remember erased people, and what is to be done with each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

Verb = Literal["retire", "wait", "keep", "purge", "alarm", "none"]
"""Retire now; wait for the grace period; keep for a reason; purge now; call people; nothing."""


@dataclass(frozen=True, slots=True)
class WeightsCame:
    """A model got these weights under this version: by training, enrolment or promotion."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class RowsLeft:
    """A batch's rows left the model: what was there before remembers them."""

    batch: str
    digests: frozenset[str] | None = None
    """The weights that learned them; None for all that came before."""


def remembering(history: Iterable[WeightsCame | RowsLeft]) -> dict[int, str]:
    """Versions whose weights remember erased rows, each with the first batch of those rows.

    Weights count from their first appearance: whoever registers or enrols old ones again makes
    them no younger.
    """
    digests: dict[int, str] = {}
    first: dict[str, str] = {}
    for event in history:
        if isinstance(event, RowsLeft):
            for digest in digests.values():
                if event.digests is None or digest in event.digests:
                    first.setdefault(digest, event.batch)
        else:
            digests[event.version] = event.digest
    return {version: first[d] for version, d in digests.items() if d in first}


@dataclass(frozen=True, slots=True)
class OldVersion:
    """A version that remembers, as it stands."""

    version: int
    why: str
    """What it remembers, or why nobody needs it."""
    is_champion: bool = False
    purge_on: date | None = None
    """Day from which it may be purged, as promised when it was retired; None before that."""
    is_purged: bool = False
    needed: str = ""
    """Why it must stay, in one sentence; empty if nothing needs it."""
    shares_with: tuple[int, ...] = ()
    """Versions of the same model that lie in the same files."""


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done with one version, and why not more."""

    version: int
    verb: Verb
    reason: str
    purge_on: date | None = None


def plan_retirement(versions: Sequence[OldVersion], *, today: date) -> list[Action]:
    """One action for each old version, in the order of their numbers.

    Never more than an alarm for the champion; never a purge before the day that was promised, of
    what is needed, or of files that a version lies in which stays.
    """
    actions = [_action(v, today) for v in sorted(versions, key=lambda v: v.version)]
    shared = {v.version: v.shares_with for v in versions}
    staying = {a.version for a in actions if a.verb not in ("purge", "none")}
    return [_together(a, staying & set(shared[a.version])) for a in actions]


def purge_day(retired_on: date, grace_days: int, days_left: int) -> date:
    """The day from which a version that is retired today may be purged.

    After the days of grace, but the day before the requests are due at the latest: whoever is told
    that their rows are erased shall not be remembered by weights after that. A day of grace is left
    where that is too late, so that no run deletes what it replaced itself.

    Args:
        retired_on: Today.
        grace_days: How long one may go back to it.
        days_left: Days to the earliest due date of the requests; below 0 it has passed.
    """
    return retired_on + timedelta(days=min(grace_days, max(1, days_left - 1)))


def _action(version: OldVersion, today: date) -> Action:
    verb, reason = _verb(version, today)
    return Action(version.version, verb, reason, version.purge_on)


def _verb(version: OldVersion, today: date) -> tuple[Verb, str]:
    if version.is_purged:
        return "none", version.why
    if version.is_champion:
        return "alarm", f"it is served, and {version.why}"
    if version.purge_on is None:
        return "retire", version.why
    if today < version.purge_on:
        return "wait", version.why
    if version.needed:
        return "keep", version.needed
    return "purge", version.why


def _together(action: Action, staying: set[int]) -> Action:
    if action.verb != "purge" or not staying:
        return action
    return replace(action, verb="keep", reason=f"version {min(staying)} lies in the same files")
