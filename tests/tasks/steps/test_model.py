from factories import attempt

from tasks import steps


def test_a_failure_is_judged_without_evidence(home):
    decision = steps.judge_candidate.fn(attempt(), "It cannot be trained.")
    assert not decision.passed
    assert "It cannot be trained." in " ".join(check.meaning for check in decision.checks)
