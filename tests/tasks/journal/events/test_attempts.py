from factories import decision

from tasks.journal.events.attempts import CandidateAccepted, CandidateMade, CandidateRejected


def test_an_update_states_nothing_of_a_retrain():
    made = CandidateMade(model="m", attempt="a", candidate="c", digest="d")
    assert made.trained_rows is None
    assert made.kept_from_parent == ()


def test_accepted_is_not_rejected_whatever_the_decision_says():
    facts = {"model": "m", "attempt": "a", "decision": decision()}
    assert CandidateAccepted(**facts) != CandidateRejected(**facts)
    assert decision().passed
    assert not decision(passed=False).passed
