import pytest

from tasks.journal import journal
from tasks.journal.effects import once
from unlearning.errors import EffectLostError


class World:
    """An outside system with one effect, which can fail before or after it is made."""

    def __init__(self, *, fails=""):
        self.fails = fails
        self.made = []

    def make(self, plan):
        if self.fails == "before":
            raise ConnectionError
        self.made.append(plan["amount"])
        if self.fails == "after":
            raise ConnectionError

    def find(self, plan):
        return {"amount": self.made[-1], "planned": plan["amount"]} if self.made else None


def run(store, world, amount=5):
    return once(
        store,
        "batches/b",
        key="effect",
        event="RowsCounted",
        plan={"amount": amount},
        find=world.find,
        make=world.make,
    )


def test_an_effect_is_made_once_and_its_outcome_remembered(store):
    world = World()
    assert run(store, world) == run(store, world) == {"amount": 5, "planned": 5}
    assert world.made == [5]
    assert [e.name for e in journal.read(store, "batches/b")] == ["EffectIntended", "RowsCounted"]


def test_an_effect_whose_reply_was_lost_is_found_and_not_made_again(store):
    world = World(fails="after")
    with pytest.raises(ConnectionError):
        run(store, world)
    world.fails = ""
    assert run(store, world, amount=99) == {"amount": 5, "planned": 5}
    assert world.made == [5]


def test_an_effect_that_never_happened_is_made_by_the_next_run(store):
    world = World(fails="before")
    with pytest.raises(ConnectionError):
        run(store, world)
    world.fails = ""
    assert run(store, world)["amount"] == 5


def test_an_effect_that_cannot_be_read_back_is_an_error(store):
    with pytest.raises(EffectLostError, match="RowsCounted"):
        once(
            store, "batches/b", key="k", event="RowsCounted", plan={},
            find=lambda _: None, make=lambda _: None,
        )  # fmt: skip
    assert journal.find(store, "batches/b", "k") is None
