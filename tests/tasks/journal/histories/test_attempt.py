from typing import Any

from factories import attempt, decision, evaluated

from tasks.journal.events import attempts as a
from tasks.journal.events.event import Event
from tasks.journal.histories.attempt import AttemptHistory, note

MADE = attempt()
OF: dict[str, Any] = {"model": MADE.model, "attempt": MADE.key}


def history(*facts):
    found = AttemptHistory(MADE)
    for number, one in enumerate(facts, start=1):
        note(found, Event(number, "", f"2026-11-30T00:00:{number:02d}.500+00:00", "", one))
    return found


def test_the_time_of_a_candidate_is_from_intent_to_outcome():
    made = a.CandidateMade(**OF, candidate="c", digest="d")
    planned = a.AttemptPlanned(attempt=MADE)
    found = history(planned, a.CandidateIntended(**OF), evaluated(MADE), made)
    assert found.seconds == 2.0
    assert (found.made, found.evaluated) == (made, evaluated(MADE))
    assert history(a.CandidateIntended(**OF)).seconds == 0.0


def test_the_gate_has_decided_once_it_said_so():
    assert history().decision is None
    accepted = history(a.CandidateAccepted(**OF, decision=decision()))
    assert accepted.passed
    failed = history(a.CandidateRejected(**OF, decision=decision(passed=False)))
    assert not failed.passed
    assert "holdout_accuracy" in " ".join(failed.decision.failed_names)


def test_failures_and_choices_are_kept_in_order():
    first = a.RungChosen(**OF, rung="stronger", reason="It remembers.")
    second = a.RungChosen(**OF, rung="retrain", reason="It remembers still.")
    failed = a.CandidateFailed(**OF, reason="no")
    memory = a.MemoryRanOut(**OF, reason="small")
    found = history(failed, first, memory, second)
    assert found.chosen == [first, second]
    assert (found.failures, found.out_of_memory) == ([failed], [memory])


def test_how_far_an_attempt_came_is_told_by_its_outcomes_not_its_intents():
    found = history(
        a.RegistrationIntended(**OF), a.PromotionIntended(**OF), a.WithdrawalIntended(**OF)
    )
    assert (found.registered, found.promoted, found.withdrawn) == (None, None, None)
    assert found.is_withdrawal_intended
    registered = a.VersionRegistered(**OF, version=2)
    promoted = a.VersionPromoted(**OF, version=2, digest="d2")
    withdrawn = a.AliasWithdrawn(**OF, version=1, reason="It cannot.")
    blocked = a.BatchBlocked(**OF, failed=("x",), reason="It lost.")
    found = history(registered, promoted, withdrawn, blocked)
    assert (found.registered, found.promoted) == (registered, promoted)
    assert (found.withdrawn, found.blocked) == (withdrawn, blocked)
