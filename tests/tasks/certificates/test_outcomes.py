from dataclasses import replace

from factories import disposition, enrollment

from tasks.certificates.outcomes import limits_of, outcome_of
from tasks.journal.reading import record_enrollment
from tasks.subjects.matches import NOT_SEARCHED, TableMatches

SEARCHED = TableMatches("t", "id", 1, 9, {"r-1": 2, "r-2": 0})
AWAY = TableMatches("s", "id", NOT_SEARCHED, 0, {})


def outcomes(*found, **changes):
    return [outcome_of(disposition(r, **changes), found) for r in ("r-1", "r-3")]


def test_only_a_search_of_everything_says_that_nobody_was_found():
    assert outcomes(SEARCHED) == ["erased", "not_found"]
    assert outcomes(SEARCHED, AWAY) == ["erased", "cannot_tell"]
    assert outcomes(SEARCHED, replace(AWAY, kind="firm")) == ["erased", "not_found"]


def test_of_a_kind_that_no_table_was_searched_for_nobody_can_tell():
    assert outcomes(SEARCHED, subject_kind="firm") == ["erased", "cannot_tell"]


def test_a_search_without_limits_states_none(services):
    record_enrollment(services.journal, enrollment())
    assert limits_of(services, [SEARCHED]) == {}
    assert limits_of(services, [SEARCHED, AWAY]) == {"tables_not_searched": ["s"]}
