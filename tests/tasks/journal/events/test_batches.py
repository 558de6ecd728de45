import pytest
from factories import approved, frozen, rejected

from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.withheld import RequestsWithheld


def test_facts_cannot_be_changed():
    with pytest.raises(AttributeError):
        frozen().file_count = 2  # pyright: ignore[reportAttributeAccessIssue]


def test_an_answer_is_equal_to_the_same_answer_only():
    assert approved() == approved()
    assert approved() != approved(2)
    assert approved() != rejected()
    assert BatchClosed() == BatchClosed()


def test_withheld_records_are_kept_in_order():
    assert RequestsWithheld(records=("b", "a")).records == ("b", "a")
