"""A reason that the book contradicts is found, and no other one."""

import json

import pytest
from factories import disposition
from histories.book import Book, Certified
from histories.lake import CAST
from histories.reasons import contradicted

from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestAccepted, RequestErased

WHO = CAST[0]
TABLE = "file:///lake/people"


@pytest.fixture
def book():
    made = Book()
    assert made.tables_of(WHO) == {"people"}
    return made


def found(services, book, reason, outcome="erased", step=1, **body):
    """What is contradicted of a certificate with this reason."""
    request = {"record_id": "r", "request_id": "CASE"}
    body = {"outcome": outcome, "request": request, "batch": "b", "tables": [{}], **body}
    told = {"batch": "b", "request_id": "CASE", "subject": "s", "certificate": "c"}
    answer = RequestErased(**told, reason=reason, certificate_digest="d")
    accepted = RequestAccepted(disposition=disposition("r"), batch="b")
    for event_id, facts in (("judged", accepted), ("certified", answer)):
        services.journal.append(request_stream("r"), event_id, facts)
    one = Certified(WHO, step, body, is_near=False)
    return [*contradicted(services, book, one, is_second=False)]


def erase(book):
    """A run takes all of the person's rows."""
    for name, rows in book.rows.items():
        book.taken |= {n for n, one in rows.items() if one == WHO}
        book.rows[name] = {n: one for n, one in rows.items() if one != WHO}


def test_what_a_run_erased_may_be_called_so_and_no_hand_of_others(services, book):
    erase(book)
    others = "others had deleted the rows before; purged from the files"
    assert found(services, book, f"2 rows erased; {others}") == [
        "others had deleted the rows before",
    ]


def test_nobody_is_erased_whose_rows_lie_in_any_table_that_is_not_named(services, book):
    (unnamed, unreached) = found(services, book, "none", tables=[{"outcome": "gone"}])
    assert "rows lie in people, which it does not name" in unnamed
    assert "no table was reached" in unreached


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_closed_table_that_is_named_is_no_secret(services, book, is_closed):
    erase(book)
    book.rows["people"] = {1: WHO}
    if is_closed:
        closed = [{"table": TABLE, "closed_by": "Ada"}]
        assert found(services, book, "1 row erased", tables_closed=closed) == []
    else:
        assert found(services, book, f"1 row erased; nothing erased in {TABLE}, which Ada") == []


def test_who_was_not_erased_before_is_not_told_so(services, book):
    services.store.put("certificates/a.json", json.dumps({"outcome": "cannot_tell"}).encode())
    said = "erased before, see certificates/a.json"
    told = found(services, book, f"no table has a row of exactly this id; {said}", "not_found")
    assert told == ["no table has a row of exactly this id", said]


def test_a_model_that_learned_is_not_denied(services, book):
    erase(book)
    denied = "no model in service was trained on them"
    book.since[WHO].learned_by.add("income")
    assert found(services, book, f"1 row erased; {denied}") == [denied]
