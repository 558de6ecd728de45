from dataclasses import replace

from factories import disposition, enrollment

from tasks.certificates.certified_spellings import Spellings
from tasks.certificates.outcomes import limits_of, nowhere, outcome_of
from tasks.journal.reading import record_enrollment
from tasks.subjects.matches import NOT_SEARCHED, TableMatches

SEARCHED = TableMatches("t", "id", 1, 9, {"r-1": 2, "r-2": 0})
AWAY = TableMatches("s", "id", NOT_SEARCHED, 0, {})


def outcomes(*found, **changes):
    return [outcome_of(disposition(r, **changes), found, {"t"}) for r in ("r-1", "r-3")]


def test_only_a_search_of_everything_says_that_nobody_was_found():
    assert outcomes(SEARCHED) == ["erased", "not_found"]
    assert outcomes(SEARCHED, AWAY) == ["erased", "cannot_tell"]
    assert outcomes(SEARCHED, replace(AWAY, kind="firm")) == ["erased", "not_found"]


def test_of_a_kind_that_no_table_was_searched_for_nobody_can_tell():
    assert outcomes(SEARCHED, subject_kind="firm") == ["erased", "cannot_tell"]


def test_nothing_is_erased_where_no_table_with_rows_could_be_reached():
    away, closed = replace(AWAY, rows={"r-1": 0}), replace(AWAY, rows={"r-1": 0}, is_closed=True)
    nobody = replace(SEARCHED, rows={})
    assert outcomes(nobody, away) == ["cannot_tell", "cannot_tell"]
    assert outcomes(nobody, closed) == ["cannot_tell", "not_found"]
    assert outcomes(SEARCHED, closed) == ["erased", "not_found"]


def test_where_nothing_could_be_erased_before_and_nobody_looked_since_nobody_can_tell():
    assert outcome_of(disposition("r-3"), [SEARCHED], {"t"}, {"s": "c"}) == "cannot_tell"


def test_each_gap_in_a_search_is_named():
    request, spellings = disposition("r-3"), Spellings({"t": (1,)}, {})

    def told(*found, **closed):
        return nowhere(request, found, closed, spellings)

    assert told(SEARCHED) == ["no table has a row of exactly or nearly this id"]
    searched = "no searched table has a row of exactly or nearly this id"
    assert told(SEARCHED, AWAY) == [searched, "s could not be opened"]
    assert told(SEARCHED, c="Ada") == [searched, "c was not searched, for Ada closed it"]
    unread = replace(SEARCHED, unread=("income, trained on t@3",))
    assert told(unread) == [
        searched,
        "nobody can tell whose rows were learned by income, trained on t@3",
    ]
    assert told(AWAY) == ["no table was searched", "s could not be opened"]
    other = replace(SEARCHED, kind="firm")
    assert told(other, c="Ada")[0] == "no table was searched"


def test_a_search_without_limits_states_none(services):
    record_enrollment(services.journal, enrollment())
    assert limits_of(services, [SEARCHED]) == {}
    assert limits_of(services, [SEARCHED, AWAY]) == {"tables_not_searched": ["s"]}
