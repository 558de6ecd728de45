from factories import disposition

from tasks.journal.events.requests import RequestAccepted, RequestHeld, told_because


def test_what_was_told_names_request_subject_and_reason():
    facts = RequestAccepted(disposition=disposition(), batch="b-1")
    assert (facts.request_id, facts.reason, facts.certificate) == ("R-001", "valid", "")
    assert facts.subject.startswith("pseudonym-of-")


def test_another_reason_leaves_the_rest_as_it_was():
    held = RequestHeld(disposition=told_because(disposition(), "a legal hold"), batch="b-1")
    assert held.reason == "a legal hold"
    assert held.request_id == disposition().request_id
