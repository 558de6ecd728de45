"""What a certificate says of ids that are spelled nearly like the one that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.certificates.limits import Ground
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestSettled, RequestUnclear
from tasks.journal.events.withheld import NearMatch
from tasks.journal.histories.batch import BatchHistory
from tasks.journal.reading import ever_kinds, read_batch
from tasks.registry.services import Services


@dataclass(frozen=True, slots=True)
class Spellings:
    """Where nearly the same ids were looked for, and what persons decided about them."""

    versions: Mapping[str, tuple[int, ...]]
    """Versions of each table that were looked into; none before a batch looked."""
    settled: Mapping[str, RequestSettled]
    """Decisions by record."""
    seen: Mapping[str, tuple[NearMatch, Mapping[str, tuple[int, ...]]]] = field(
        default_factory=dict
    )
    """What a person was asked about, by record, and in which versions of tables it was seen."""
    are_kinds: bool = False
    """Whether tables, closed ones too, are of several kinds: the same id may be another's."""

    def searched(self, uri: str) -> dict[str, Any]:
        """What is stated of a table."""
        found = self.versions.get(uri)
        return {"spellings_sought_in": list(found)} if found else {}

    def decision(self, record: str) -> dict[str, Any]:
        """What is stated of the request; nothing if nobody had to decide."""
        one = self.settled.get(record)
        if one is None:
            return {}
        said = {"decision": "exactly this id is meant", "decided_by": one.name, "reason": one.why}
        if record in self.seen:
            near, versions = self.seen[record]
            said |= {
                "rows_seen": near.rows,
                "subjects_seen": near.subjects,
                **({"kinds_seen": list(near.kinds)} if near.kinds else {}),
                "seen_in": {uri: list(numbers) for uri, numbers in versions.items()},
            }
        return {"spelling": said}

    def ground(self, record: str) -> Ground:
        """What the limits of a search in vain depend on."""
        return Ground(
            is_found=False,
            is_settled=record in self.settled,
            are_spellings_sought=bool(self.versions) and record not in self.settled,
        )

    def in_vain(self, record: str, *, is_all: bool = True) -> str:
        """What a request is told of which no table holds a row, or none of those searched."""
        table = f"{'table' if is_all else 'searched table'}{self._kind}"
        if one := self.settled.get(record):
            return f"no {table} has a row of exactly this id, which {one.name} said is meant"
        nearly = " or nearly" if self.versions else ""
        return f"no {table} has a row of exactly{nearly} this id"

    @property
    def unsearched(self) -> str:
        """What a request is told for which nothing was searched."""
        return f"no table{self._kind} was searched"

    @property
    def _kind(self) -> str:
        return " of its kind" if self.are_kinds else ""


def spellings_of(services: Services, history: BatchHistory) -> Spellings:
    """What the batch recorded of spellings. Cost: a read of each request that was settled."""
    sought = history.sought
    settled: dict[str, RequestSettled] = {}
    seen: dict[str, tuple[NearMatch, Mapping[str, tuple[int, ...]]]] = {}
    for record in sought.exact if sought else ():
        for event in services.journal.read(request_stream(record)):
            if isinstance(event.facts, RequestSettled):
                settled[record] = event.facts
            if isinstance(event.facts, RequestUnclear):
                asked = read_batch(services.journal, event.facts.batch)
                if asked.sought and record in asked.near:
                    seen[record] = asked.near[record][1], asked.sought.versions
    are_kinds = len(ever_kinds(services.journal)) > 1
    return Spellings(sought.versions if sought else {}, settled, seen, are_kinds)
