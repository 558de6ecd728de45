"""What is true of a history, kept by hand: whose rows lie where, who asked, who must stay."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from histories import lake
from histories.lake import CAST, Person, first_rows
from histories.place import ENROLLED, MODELS

Owners = dict[int, Person]
"""Whose row each number is."""


@dataclass(frozen=True)
class Request:
    """Somebody asked to be erased."""

    person: Person
    step: int
    is_near: bool = False
    """Whether the id is spelled as no table spells it."""


@dataclass(frozen=True)
class Certified:
    """A certificate as it was found first."""

    person: Person
    step: int
    """When its search ended: whoever is brought back from then on is another matter."""
    body: dict[str, Any]
    is_near: bool

    @property
    def request(self) -> str:
        return self.body["request"]["request_id"]

    @property
    def is_erased(self) -> bool:
        return self.body["outcome"] == "erased"

    @property
    def is_listed(self) -> bool:
        """Whether nobody learns from the person any more, erased or out of reach."""
        return "tables" in self.body


@dataclass
class Since:
    """What happened to a person since the latest certificate on them, or ever."""

    had: set[str] = field(default_factory=set)
    """Tables in which they had rows at any moment."""
    erased_from: set[str] = field(default_factory=set)
    """Tables from which a run took rows of theirs."""
    learned_by: set[str] = field(default_factory=set)
    """Models that remembered them when a run began."""


class Book:
    """Everything that a history did, and what may follow from it."""

    def __init__(self) -> None:
        self.step = 0
        self.shut: set[str] = set()
        self.tables = {model: MODELS[model] for model in ENROLLED}
        self.approved: set[str] = set()
        self.taken: set[int] = set()
        self.deleted: set[Person] = set()
        self.rows: dict[str, Owners] = first_rows()
        self.owner: Owners = {n: one for rows in self.rows.values() for n, one in rows.items()}
        self.written = dict.fromkeys(self.owner, 0)
        self.born = {one: self._rows_of(one) for one in CAST}
        self.requests: dict[str, Request] = {}
        self.settled: set[str] = set()
        self.again: dict[Person, int] = {}
        self.reinstated: dict[Person, int] = {}
        self.holds: dict[str, set[Person]] = {}
        self.copies: list[tuple[str, Owners]] = []
        self.foreign: dict[str, dict[str, bytes]] = defaultdict(dict)
        self.returned: dict[Person, int] = {}
        self.closed: dict[str, int] = {}
        self.certificates: dict[tuple[str, str, Person], Certified] = {}
        self.since: dict[Person, Since] = defaultdict(Since)
        self.learned: dict[tuple[str, int], frozenset[int]] = {}
        self.snapshots: dict[tuple[str, int], Owners] = {}
        self.strangers = 0
        for model in ENROLLED:
            self.trained(model, 1, MODELS[model])

    def _rows_of(self, person: Person) -> dict[str, list[int]]:
        found = {
            name: [n for n, one in rows.items() if one == person]
            for name, rows in self.rows.items()
        }
        return {name: n for name, n in found.items() if n and name not in self.shut}

    def tables_of(self, person: Person) -> set[str]:
        """Tables in which the person has rows now."""
        return set(self._rows_of(person))

    def is_of_another_kind(self, person: Person) -> bool:
        """Whether anybody of another kind ever had the person's id in a table."""
        return any(one.id == person.id and one.kind != person.kind for one in self.owner.values())

    def new_row(self) -> int:
        return max(self.owner) + 1

    def stranger(self, kind: str) -> Person:
        """Somebody new, whom nobody will ask to erase."""
        self.strangers += 1
        made = lake.person if kind == "person" else lake.employee
        return made(300 + self.strangers)

    def wrote(self, name: str, owners: Owners, *, is_whole: bool = False) -> None:
        """Others wrote rows into a table, or the table anew."""
        self._note_had(name)
        self.written |= {n: self.step for n in owners if n not in self.owner}
        self.owner |= owners
        if is_whole:
            self.deleted |= {one for n, one in self.rows[name].items() if n not in owners}
        self.rows[name] = owners if is_whole else self.rows[name] | owners
        for person in set(owners.values()):
            self.returned[person] = self.step

    def opened(self, model: str, table: str) -> None:
        """A model was enrolled on a table: whoever lies in one that was closed is back."""
        self.tables[model] = table
        for name in self.shut & {table, f"{table}-unseen"}:
            self.shut.discard(name)
            for person in set(self.rows[name].values()):
                self.returned[person] = self.step

    def is_free(self, table: str) -> bool:
        """Whether no model learns from the table, or is judged by it, any more."""
        return table.removesuffix("-unseen") not in self.tables.values()

    def lost(self, name: str, person: Person) -> None:
        """The lake's owners deleted somebody's rows, which its older versions may hold still."""
        self._note_had(name)
        self.deleted.add(person)
        self.rows[name] = {n: one for n, one in self.rows[name].items() if one != person}

    def _note_had(self, name: str) -> None:
        for person in set(self.rows[name].values()):
            self.since[person].had.add(name)

    @property
    def held(self) -> set[Person]:
        return set().union(*self.holds.values())

    def may_vanish(self, row: int) -> bool:
        """Whether a row may be erased: its person asked, and no hold protects them.

        A row that came after everything that was asked for is answered needs a request of its own,
        and so does whatever there is of a person whom somebody reinstated.
        """
        person, written = self.owner[row], self.written[row]
        if person in self.held:
            return False
        asked = [r for r, one in self.requests.items() if one.person == person and not one.is_near]
        answered = {one.request: one.step for one in self.certificates.values()}
        until = [self.again.get(person, -1), *(answered.get(one, self.step) for one in asked)]
        return max(until) >= max(written, self.reinstated.get(person, 0))

    def back(self) -> set[Person]:
        """Whoever was erased and has rows again, none of them but those that were erased.

        They are to be asked for again without anybody's decision.
        """
        rows: dict[Person, list[int]] = defaultdict(list)
        for name in self.rows.keys() - self.shut:
            for row, person in self.rows[name].items():
                rows[person].append(row)
        again = {person for person, numbers in rows.items() if self.taken.issuperset(numbers)}
        return again - self.held - self.reinstated.keys()

    def is_asked_for(self, person: Person) -> bool:
        """Whether a request on them is not answered by a certificate."""
        answered = {one.request for one in self.certificates.values()}
        return any(r not in answered for r, one in self.requests.items() if one.person == person)

    def gone(self) -> set[Person]:
        """Whoever is certified as erased and was brought back by nobody since."""
        return {
            one.person
            for one in self.certificates.values()
            if one.is_erased and one.step > self.returned.get(one.person, -1)
        }

    def trained(self, model: str, version: int, table: str) -> None:
        """A version learned what its table holds, but for whoever was erased."""
        self.learned_from(model, version, self.rows[table], frozenset())

    def learned_from(
        self, model: str, version: int, rows: Owners, without: frozenset[Person]
    ) -> None:
        """What a version surely learned: rows of people whom nothing made it leave out."""
        listed = {one.person for one in self.certificates.values() if one.is_listed}
        surely = {n for n, person in rows.items() if person not in listed | without}
        self.learned[model, version] = frozenset(surely)

    def remembered(self, model: str, version: int) -> set[Person]:
        """Whom a version surely learned from."""
        return {self.owner[n] for n in self.learned.get((model, version), ())}
