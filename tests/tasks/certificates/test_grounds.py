import json

import pytest
from hand_made_batch import TABLE

from tasks.certificates.grounds import Earlier, certificate_key, grounds_of
from tasks.registry.services import Services
from tasks.subjects.matches import NOT_SEARCHED, TableMatches
from tasks.subjects.suppression_list import suppress
from unlearning.errors import DataError


def gone(table):
    return {"table": table, "outcome": "gone"}


def test_only_a_certificate_that_says_so_shows_that_somebody_was_erased_before(erased):
    told = {
        "a": {"outcome": "cannot_tell", "tables": [gone("file:///t"), gone("file:///u")]},
        "b": {"outcome": "erased", "tables": [gone("file:///t"), {"table": "file:///u"}]},
        "c": {"outcome": "erased", "tables": [{"table": "file:///v"}]},
    }
    erased.enroll()
    for name, body in told.items():
        erased.put(certificate_key(name), body)
    suppress(erased.services, erased.name)
    key = f"suppression/{erased.name}.json"
    listed = json.loads(erased.store.get(key))
    erased.put(key, {**listed, "earlier": {"who": ["a", "b", "c", "d"]}})
    fresh = Services.open(erased.services.settings)
    (found,) = grounds_of(fresh, erased.name).earlier.values()
    assert found.certificates == [certificate_key(name) for name in "abcd"]
    assert found.erased_by == certificate_key("b")
    assert found.left == {"file:///t": certificate_key("b")}


def test_nobody_had_more_rows_than_were_erased_of_all(erased):
    erased.enroll()
    suppress(erased.services, erased.name)
    found = grounds_of(erased.services, erased.name)
    told = [found.done_in(TABLE, rows)["rows_of_this_request"] for rows in (2, 300, 301)]
    assert told == [2, 300, 300]
    assert found.done_in("file:///gone", 7)["rows_of_this_request"] == 7
    assert found.done_in("file:///gone", 7)["outcome"] == "gone"


def test_a_table_that_is_searched_again_is_no_more_left():
    earlier = Earlier(left={"t": "a", "u": "b"})
    found = [TableMatches("t", "id", 1, 9, {}), TableMatches("u", "id", NOT_SEARCHED, 0, {})]
    assert earlier.unsearched(found) == {"u": "b"}
    assert Earlier().unsearched(found) == {}


def test_a_batch_that_was_never_judged_has_none(services):
    with pytest.raises(DataError, match="never validated"):
        grounds_of(services, "b-none")
