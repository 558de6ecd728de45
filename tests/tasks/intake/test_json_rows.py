import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.intake.json_rows import HUGE, MAX_DIGITS, TWICE, items, loads

LONGEST = 4096
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_the_entries_of_a_list_are_those_that_json_reads(values, indent):
    assert list(items(json.dumps(values, indent=indent), LONGEST)) == values


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, max_size=3), VALUES)
def test_a_list_may_stand_under_requests_before_and_after_other_things(values, other):
    text = json.dumps({"before": other, "requests": values, "after": other})
    assert list(items(text, LONGEST)) == values


def test_an_object_without_such_a_list_is_the_one_entry():
    for text in ("{}", '{"a": [1]}', '{"requests": 5}'):
        assert list(items(text, LONGEST)) == [json.loads(text)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2",
        "[1 2]",
        "[1] 2",
        '{"requests": [1], "requests": [2]}',
        '{"requests": [1] "a": 1}',
        "{1: 2}",
    ],
)
def test_what_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        list(items(text, LONGEST))


def test_an_entry_longer_than_wanted_is_refused_and_shorter_ones_before_it_are_not():
    found = items(json.dumps(["short", "x" * 5000]), LONGEST)
    assert next(found) == "short"
    with pytest.raises(ValueError, match="too long"):
        next(found)


def test_a_key_named_twice_and_a_number_of_no_end_are_marked():
    assert loads('{"a": 1, "a": 2}') is TWICE
    assert loads("9" * MAX_DIGITS) == int("9" * MAX_DIGITS)
    assert loads("9" * (MAX_DIGITS + 1)) is HUGE
