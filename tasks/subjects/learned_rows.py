"""What weights learned of subjects whose rows can no longer be read where people look for them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tasks.intake import batches
from tasks.journal.events.enrollment import Enrollment
from tasks.journal.histories.ties import Tie, tie_of
from tasks.registry.services import Services
from tasks.subjects import suppression_list
from tasks.subjects.rosters import is_in_place, read_roster, roster_rows, shortened
from tasks.subjects.tied_tables import Learned, learned_by
from tasks.tables.delta import open_table
from unlearning.errors import DataError


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Rows that weights learned and that the model's snapshot does not hold."""

    rows: int = 0
    is_certain: bool = True
    """Whether that is all: else nobody wrote down whose rows the weights learned."""

    @property
    def why(self) -> str:
        """Why nothing but a retrain makes the model forget, in one sentence."""
        what = "Others removed or changed some of" if self.is_certain else "Nobody wrote down"
        return (
            f"{what} the rows that it learned from, so that only training anew is sure to forget."
        )

    def __bool__(self) -> bool:
        return bool(self.rows) or not self.is_certain


def erased_since(services: Services, tie: Tie, *, but: str = "") -> list[np.uint64]:
    """Who was erased after the weights learned from there, as rosters have them.

    Every batch but that named: to itself, its rows are still to be forgotten.
    """
    listed = suppression_list.load(services, ever=True)
    return shortened(
        who
        for batch, subjects in listed.by_batch.items()
        if batch != but and listed.times[batch] >= tie.at
        for who in subjects
    )


def search_rosters(
    services: Services, batch: str, known: Collection[Learned], subjects: Collection[str], kind: str
) -> tuple[set[str], tuple[str, ...]]:
    """The subjects who were learned from these snapshots, none of which can be read any more.

    And the snapshots of which nobody can tell, for none wrote down whose rows they held.
    """
    found: set[str] = set()
    silent: list[str] = []
    named = {
        s: shortened([who])[0] for s, who in batches.pseudonyms(services, subjects, kind).items()
    }
    for one in known if subjects else ():
        roster = read_roster(services, one.model, one.tie)
        if roster is None:
            silent.append(f"{one.model}, trained on {one.tie.snapshot}")
            continue
        out = set(erased_since(services, one.tie, but=batch))
        there = set(roster.of(named.values())[:, 0])
        found |= {s for s, who in named.items() if who in there and who not in out}
    return found, tuple(dict.fromkeys(silent))


def who_learned(
    services: Services, batch: str, model: str, ties: Collection[Tie]
) -> tuple[str, ...] | None:
    """Records of the batch with rows that weights learned from these snapshots.

    None if nobody can tell.
    """
    found: set[str] = set()
    for tie in ties:
        if read_roster(services, model, tie) is None and not is_in_place(services, tie):
            return None
        kind = tie.dataset.subject_kind
        asked = batches.subjects_by_record(services, batch, kind)
        mine = _learned(services, batch, model, tie, set(asked.values()))
        if mine is None:
            return None
        names = batches.pseudonyms(services, set(asked.values()), kind)
        there = set(mine[:, 0])
        found |= {r for r, who in asked.items() if shortened([names[who]])[0] in there}
    return tuple(sorted(found))


def unreadable_rows(
    services: Services, batch: str, enrollment: Enrollment, subjects: Collection[str]
) -> Unreadable:
    """Rows of these subjects that the model's weights learned and that its snapshot does not hold.

    Cost: the rosters, and a search for the subjects' rows.
    """
    rows, is_certain, here = 0, True, tie_of(enrollment)
    for tie in learned_by(services, enrollment.model) if subjects else ():
        if tie.snapshot == here.snapshot and tie.fingerprint == here.fingerprint:
            continue
        mine = _learned(services, batch, enrollment.model, tie, subjects)
        if mine is None:
            is_certain = False
        elif len(mine):
            held = _held(services, here, tie, subjects)
            rows += int(np.count_nonzero(~np.isin(mine[:, 1], held)))
    return Unreadable(rows, is_certain)


def missing_rows(services: Services, enrollment: Enrollment) -> int | None:
    """Rows that the weights learned from its table and that the newest version does not hold.

    Not counting erased subjects; None if nobody wrote down what they learned. Cost: a pass over the
    table for each snapshot that cannot be read.
    """
    count, uri = 0, enrollment.dataset.uri
    for tie in learned_by(services, enrollment.model):
        if tie.dataset.uri != uri or is_in_place(services, tie):
            continue
        roster = read_roster(services, enrollment.model, tie)
        if roster is None:
            return None
        mine = roster.without(erased_since(services, tie))
        held = roster_rows(services, open_table(services.settings, uri), tie)
        count += int(np.count_nonzero(~np.isin(mine[:, 1], held[:, 1])))
    return count


def _learned(
    services: Services, batch: str, model: str, tie: Tie, subjects: Collection[str]
) -> np.ndarray | None:
    """The subjects' rows in what weights learned; None if nobody can tell."""
    roster = read_roster(services, model, tie)
    if roster is None:
        if not is_in_place(services, tie):
            return None
        table = open_table(services.settings, tie.dataset.uri, tie.version)
        return roster_rows(services, table, tie, subjects)
    out = set(erased_since(services, tie, but=batch))
    named = shortened(batches.pseudonyms(services, subjects, tie.dataset.subject_kind).values())
    return roster.of([who for who in named if who not in out])


def _held(services: Services, here: Tie, tie: Tie, subjects: Collection[str]) -> np.ndarray:
    """Digests of the subjects' rows in the model's snapshot."""
    try:
        table = open_table(services.settings, here.dataset.uri, here.version)
        return roster_rows(services, table, tie, subjects)[:, 1]
    except DataError:  # other columns: other rows
        return np.zeros(0, dtype=np.uint64)
