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


def test_an_answer_belongs_to_the_batch_that_gave_it():
    found = request_history([ACCEPTED, ERASED])
    assert found.answer_in("b-1") == ERASED.facts
    assert found.answer_in("b-2") is None
    assert request_history([ACCEPTED]).answer_in("b-1") is None
