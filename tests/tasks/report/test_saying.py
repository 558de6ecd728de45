"""What can be said of any check."""

from tasks.report.saying import within_limits
from unlearning.gate.gate_checks import check


def test_a_check_that_failed_speaks_by_its_own_meaning():
    meaning = "The model still knows the rows."
    assert within_limits(check("strange", 0.3, upper=0.2, meaning=meaning)) == meaning
    assert within_limits(check("strange", 0.1, upper=0.2, meaning=meaning)) == "Within its limits."
