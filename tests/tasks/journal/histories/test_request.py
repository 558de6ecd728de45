from factories import disposition

from tasks.journal.events.event import Event
from tasks.journal.events.requests import RequestAccepted, RequestErased
from tasks.journal.histories.request import request_history

ACCEPTED = Event(1, "d", "", "accepted", RequestAccepted(disposition=disposition(), batch="b-1"))
ERASED = Event(
    2,
    "e",
    "",
    "erased",
    RequestErased(
        batch="b-1",
        request_id="R",
        subject="p",
        reason="",
        certificate="certificates/R.json",
        certificate_digest="c",
    ),
)


def test_a_request_is_open_until_it_is_answered():
    assert request_history([ACCEPTED]).is_open
    assert not request_history([ACCEPTED, ERASED]).is_open
    assert request_history([]).status == ""


def test_an_answer_belongs_to_the_batch_that_gave_it():
    found = request_history([ACCEPTED, ERASED])
    assert found.answer_in("b-1") == ERASED.facts
    assert found.answer_in("b-2") is None
    assert request_history([ACCEPTED]).answer_in("b-1") is None
