import pytest

from tasks.journal.effects import once
from tasks.journal.events.batches import PurgeIntended, TableGone
from tasks.journal.events.catalog import batch_stream
from unlearning.errors import EffectLostError

STREAM = batch_stream("b")


class Outside:
    """An outside system with one effect, which can fail before or after it is made."""

    def __init__(self, *, fails=""):
        self.fails = fails
        self.made = []

    def make(self, plan):
        if self.fails == "before":
            raise ConnectionError
        self.made.append(plan.files_found)
        if self.fails == "after":
            raise ConnectionError

    def find(self, plan):
        return TableGone(table=f"{self.made[-1]} of {plan.files_found}") if self.made else None


def run(services, outside, amount=5):
    return once(
        services.journal,
        STREAM,
        key="effect",
        plan=PurgeIntended(table="t", files_found=amount),
        find=outside.find,
        make=outside.make,
    )


def test_an_effect_is_made_once_and_its_outcome_remembered(services):
    outside = Outside()
    assert run(services, outside) == run(services, outside) == TableGone(table="5 of 5")
    assert outside.made == [5]
    events = services.journal.read(STREAM)
    assert [(e.id, type(e.facts)) for e in events] == [
        ("effect/intent", PurgeIntended),
        ("effect", TableGone),
    ]


def test_an_effect_whose_reply_was_lost_is_found_and_not_made_again(services):
    outside = Outside(fails="after")
    with pytest.raises(ConnectionError):
        run(services, outside)
    outside.fails = ""
    assert run(services, outside, amount=99) == TableGone(table="5 of 5")
    assert outside.made == [5]


def test_an_effect_that_never_happened_is_made_by_the_next_run_as_it_was_planned(services):
    outside = Outside(fails="before")
    with pytest.raises(ConnectionError):
        run(services, outside)
    outside.fails = ""
    assert run(services, outside, amount=99) == TableGone(table="5 of 5")


def test_an_effect_that_cannot_be_read_back_is_an_error(services):
    plan = PurgeIntended(table="t", files_found=1)
    with pytest.raises(EffectLostError, match=r"effect k of batches/b"):
        once(services.journal, STREAM, key="k", plan=plan, find=lambda _: None, make=lambda _: None)
    assert services.journal.find(STREAM, "k") is None
