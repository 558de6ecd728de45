from unlearning.policy.deletion import (
    STATUS_MEANING,
    TERMINAL,
    Disposition,
    count_outcomes,
    is_open,
    is_replay,
    replay_id,
)


def test_outcomes_are_counted_in_name_order():
    rows = [
        Disposition(str(number), "r", outcome, "")
        for number, outcome in enumerate(["held", "accepted", "held", "duplicate"])
    ]
    assert list(count_outcomes(rows).items()) == [("accepted", 1), ("duplicate", 1), ("held", 2)]
    assert count_outcomes([]) == {}


def test_a_request_is_open_until_it_has_a_terminal_status():
    assert {status for status in STATUS_MEANING if not is_open(status)} == TERMINAL


def test_only_our_own_request_for_the_pseudonym_is_a_replay():
    made = replay_id("4f2a", "state")
    assert is_replay(made, "4f2a")
    assert not is_replay(made, "4f2b")
    assert not is_replay("R-1", "4f2a")
    assert not is_replay("replay--state", "")
