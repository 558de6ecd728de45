"""Random histories: what people, the lake and the registry do, in any order, and runs between."""

from typing import ClassVar

import hypothesis.strategies as st
from durable import durable
from histories import promises
from histories.book import Book, Request
from histories.fuse import Fuse, Killed
from histories.lake import CAST, FOREIGN, NOBODY, TABLES, Person
from histories.place import MODELS, Place, copy_of
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tasks.approval.approvals import Decision
from tasks.approval.settlements import Choice

PEOPLE = st.sampled_from(CAST)
ASKED = st.lists(PEOPLE, min_size=1, max_size=3, unique=True)
NEAR = st.sampled_from([False, False, True])
NAMES = st.sampled_from(sorted(TABLES))
ALL_MODELS = st.sampled_from(sorted(MODELS))
SOME = st.integers(0, 5)
"""Which of several that there may be."""


class Histories(RuleBasedStateMachine):
    """One history in one place; every rule is a sentence of it."""

    tried: ClassVar[dict[str, int]] = {"histories": 0, "runs": 0, "certificates": 0}

    def __init__(self, place: Place, fuse: Fuse) -> None:
        super().__init__()
        self.place, self.fuse = place, fuse

    @initialize(
        days=st.sampled_from([0, 30]),
        first=ASKED,
        asking=st.sampled_from([set(), set(), {"income"}, {"loans", "hours"}]),
    )
    def begin(self, days: int, first: list[Person], asking: set[str]) -> None:
        """No history without requests: the first ones are there from its beginning."""
        self.place.begin(days=days, asking=asking)
        self.book = Book()
        self.tried["histories"] += 1
        self.ask(first, is_near=False, is_late=False)

    def moved(self) -> int:
        """A step further."""
        self.book.step += 1
        return self.book.step

    # People.

    @rule(who=ASKED, is_near=NEAR, is_late=NEAR)
    def ask(self, who: list[Person], is_near: bool, is_late: bool) -> None:
        """Requests in one file, in the spelling of the tables or in another one, or nearly due."""
        step = self.moved()
        asked = {f"CASE-{step}-{i}": Request(one, step, is_near) for i, one in enumerate(who)}
        rows = ((r, one.person, is_near) for r, one in asked.items())
        self.place.submit(f"case-{step}", *rows, is_late=is_late)
        self.book.requests |= asked

    @rule(who=PEOPLE, is_near=st.booleans(), is_for_all=st.booleans())
    def hold(self, who: Person, is_near: bool, is_for_all: bool) -> None:
        """A hold on one person, or on whoever has the id in any kind."""
        name = f"hold-{self.moved()}"
        if self.place.hold(name, who, is_near=is_near, is_for_all=is_for_all):
            alike = {one for one in CAST if one.id == who.id}
            self.book.holds[name] = alike if is_for_all else {who}

    @precondition(lambda self: self.book.holds)
    @rule(which=SOME)
    def release(self, which: int) -> None:
        self.moved()
        names = sorted(self.book.holds)
        name = names[which % len(names)]
        self.place.release(name)
        del self.book.holds[name]

    @precondition(lambda self: any(one.is_near for one in self.book.requests.values()))
    @rule(which=SOME, choice=st.sampled_from(["exact", "withdraw"]))
    def settle(self, which: int, choice: Choice) -> None:
        """Somebody says of a request that nearly names somebody whom it means."""
        self.moved()
        unclear = self.place.unclear()
        if unclear:
            request = unclear[which % len(unclear)]
            asked = self.book.requests[request]
            assert asked.is_near or self.book.is_of_another_kind(asked.person)
            self.place.settle(request, choice)
            if choice == "exact":
                self.book.settled.add(request)

    @rule(who=PEOPLE, is_erased=st.booleans())
    def decide(self, who: Person, is_erased: bool) -> None:
        """Somebody decides about a person who was erased and may be back."""
        step = self.moved()
        if is_erased and self.place.erase_again(who):
            self.book.again[who] = step
        elif not is_erased and self.place.reinstate(who):
            self.book.reinstated[who] = step

    @precondition(lambda self: self.place.asking)
    @rule(which=SOME, decision=st.sampled_from(["approve", "approve", "reject"]))
    def answer(self, which: int, decision: Decision) -> None:
        """Somebody answers for a batch that waits, or that was rejected."""
        self.moved()
        if waiting := self.place.waiting():
            batch = waiting[which % len(waiting)]
            if self.place.decide(batch, decision):
                (self.book.approved.add if decision == "approve" else self.book.approved.discard)(
                    batch
                )

    # The lake's owners.

    @rule(who=PEOPLE.filter(lambda one: one not in NOBODY))
    def deliver_again(self, who: Person) -> None:
        """Rows that the person had once are written once more."""
        self.moved()
        for name, numbers in self.book.born[who].items():
            missing = {n: who for n in numbers if n not in self.book.rows[name]}
            if missing:
                self.place.lake.append(name, missing)
                self.book.wrote(name, missing)

    @rule(who=PEOPLE)
    def return_(self, who: Person) -> None:
        """The person has a new row, such as of a new contract."""
        self.moved()
        name = next(name for name, table in TABLES.items() if table.kind == who.kind)
        row = {self.book.new_row(): who}
        self.place.lake.append(name, row)
        self.book.wrote(name, row)

    @rule(name=NAMES, is_fit=st.booleans())
    def append(self, name: str, is_fit: bool) -> None:
        """A row of somebody new; one without a label no model can learn, or be judged by."""
        self.moved()
        row = {self.book.new_row(): self.book.stranger(TABLES[name].kind)}
        self.place.lake.append(name, row, is_fit=is_fit)
        self.book.wrote(name, row)

    @rule(who=PEOPLE, is_vacuumed=st.booleans())
    def delete(self, who: Person, is_vacuumed: bool) -> None:
        """The lake's owners delete the person's rows themselves."""
        self.moved()
        for name in sorted(self.book.tables_of(who)):
            self.place.lake.delete(name, who)
            self.book.lost(name, who)
            if is_vacuumed:
                self.place.lake.vacuum(name)

    @rule(name=NAMES, is_vacuumed=st.booleans())
    def optimize(self, name: str, is_vacuumed: bool) -> None:
        self.moved()
        self.place.lake.compact(name)
        if is_vacuumed:
            self.place.lake.vacuum(name)

    @rule(name=NAMES, what=st.sampled_from(FOREIGN))
    def leave(self, name: str, what: str) -> None:
        """Somebody puts a thing of their own into the table's folder."""
        self.moved()
        if not (self.place.lake.folder / name / what).exists():
            self.place.lake.leave(name, what, self.book.rows[name])
            self.book.foreign[name] = self.place.lake.foreign(name)
            for person in set(self.book.rows[name].values()):
                self.book.returned[person] = self.book.step

    @precondition(lambda self: any(self.book.foreign.values()))
    @rule()
    def tidy(self) -> None:
        """They take their things away again."""
        self.moved()
        for name in self.book.foreign:
            self.place.lake.tidy(name)
        self.book.foreign.clear()

    @rule(name=NAMES)
    def overwrite(self, name: str) -> None:
        """The same rows, written anew; none lacks its label afterwards."""
        self.moved()
        self.place.lake.overwrite(name, self.book.rows[name])

    @rule(name=NAMES)
    def copy(self, name: str) -> None:
        """A copy of the table's folder, for later."""
        self.moved()
        self.place.lake.keep_copy(name, len(self.book.copies))
        self.book.copies.append((name, dict(self.book.rows[name])))

    @precondition(lambda self: self.book.copies)
    @rule(which=SOME)
    def restore(self, which: int) -> None:
        """A table's folder replaced by a copy of it."""
        self.moved()
        number = which % len(self.book.copies)
        name, owners = self.book.copies[number]
        self.place.lake.restore(name, number)
        self.book.wrote(name, owners, is_whole=True)
        self.book.foreign[name] = self.place.lake.foreign(name)

    # The registry.

    @rule(model=ALL_MODELS, table=st.sampled_from(["", "", "people", "staff"]))
    def train(self, model: str, table: str) -> None:
        """A version trained anew, of a model old or new, and enrolled; on another table, too."""
        self.moved()
        table = table or self.book.tables.get(model, MODELS[model])
        version, is_enrolled = self.place.train(model, table)
        if version is not None:
            self.book.trained(model, version, table)
        if is_enrolled:
            self.book.opened(model, table)

    @rule(model=ALL_MODELS)
    def enrol_again(self, model: str) -> None:
        """The version in service enrolled once more, on the table's newest rows."""
        if any(name == model for name, _ in self.book.learned):
            self.moved()
            table = self.book.tables.get(model, MODELS[model])
            if self.place.enrol_again(model, table):
                self.book.opened(model, table)

    @precondition(lambda self: any(map(self.book.is_free, TABLES)))
    @rule(which=SOME)
    def close_table(self, which: int) -> None:
        """A table that no model is enrolled with any more is said to be searched no more."""
        self.moved()
        free = sorted(filter(self.book.is_free, TABLES))
        table = free[which % len(free)]
        if self.place.close_table(table):
            self.book.shut.add(table)

    @rule(model=ALL_MODELS, which=SOME)
    def copy_version(self, model: str, which: int) -> None:
        """A version copied to another registered model, and served there."""
        versions = sorted(version for name, version in self.book.learned if name == model)
        if versions:
            self.moved()
            chosen = versions[which % len(versions)]
            made = self.place.copy_version(model, chosen)
            if made is not None:
                self.book.learned[copy_of(model), made] = self.book.learned[model, chosen]

    @rule(model=ALL_MODELS, which=SOME)
    def roll_back(self, model: str, which: int) -> None:
        """A person serves another version."""
        versions = sorted(version for name, version in self.book.learned if name == model)
        if versions:
            self.moved()
            self.place.roll_back(model, versions[which % len(versions)])

    # Expunge.

    @rule(is_reported=st.sampled_from([False, False, False, True]))
    def run(self, is_reported: bool) -> None:
        self.moved()
        self.tried["runs"] += 1
        promises.before_run(self.place, self.book)
        self.look(self.place.run(is_reported=is_reported))

    @rule(who=ASKED)
    def ask_and_run(self, who: list[Person]) -> None:
        self.ask(who, is_near=False, is_late=False)
        self.run(is_reported=False)

    @rule(calls=st.integers(1, 120), side=st.sampled_from(["before", "after"]))
    def run_and_kill(self, calls: int, side: str) -> None:
        """A run that dies at the so manieth call that changes something."""
        self.moved()
        self.tried["runs"] += 1
        promises.before_run(self.place, self.book)
        self.fuse.arm(calls, side)
        troubles = None
        try:
            troubles = self.place.run()
        except Killed:
            pass
        finally:
            self.fuse.arm(0, side)
        self.look(troubles)

    @rule(calls=st.integers(0, 60), side=st.sampled_from(["before", "after"]))
    def rotate_key(self, calls: int, side: str) -> None:
        """A new pseudonym key; who is stopped on the way is refused until it is done."""
        self.moved()
        old = {self.place.pseudonym(one) for one in CAST}
        self.fuse.arm(calls, side)
        try:
            is_done = self.place.rotate_key()
        except Killed:
            self.fuse.arm(0, side)
            self.place.bury()
            if self.place.is_rotating():
                (told,) = self.place.replay()
                assert "is being rotated" in told
            is_done = self.place.rotate_key()
        finally:
            self.fuse.arm(0, side)
        self.place.open()
        found = list(promises.old_names(self.place, old)) if is_done else []
        assert not found, "\n".join(found)

    @rule()
    def replay(self) -> None:
        self.moved()
        self.place.replay()

    @rule()
    def retire(self) -> None:
        self.moved()
        self.place.retire()

    def approve_all(self) -> None:
        self.moved()
        for batch in self.place.waiting():
            if self.place.decide(batch, "approve"):
                self.book.approved.add(batch)

    def look(self, troubles: list[str] | None) -> None:
        found = promises.after_run(self.place, self.book, troubles)
        assert not found, "\n".join(found)

    def teardown(self) -> None:
        """In the end whatever is left is worked off, and a further run finds nothing to do."""
        if not hasattr(self, "book"):
            return
        for _ in range(2):
            self.run(is_reported=False)
            self.approve_all()
            self.replay()
        self.run(is_reported=False)
        before = durable(self.place.services.store)
        if not self.place.run():
            assert durable(self.place.services.store) == before, "one more run changed something"
            if not any(self.place.services.journal.open_batches()):
                assert not self.book.back(), f"{self.book.back()} came back, and nobody asked again"
        self.tried["certificates"] += len(self.book.certificates)
