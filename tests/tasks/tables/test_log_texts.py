"""Texts of a log: what they say of a column, and whom they name."""

import json

import pytest

from tasks.tables import log_texts


def compared(told) -> set[str]:
    return {v for text in log_texts.texts(told) for v in log_texts.compared(text, "who")}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"matchedPredicates": json.dumps([{"predicate": "target.who = 17"}])}, {"17"}),
        ({"matchedPredicates": [{"predicate": json.dumps(["(who#1 = a)"])}]}, {"a"}),
        ("arrow_cast(who, 'Utf8View') = '4'", {"4"}),
        ("(cast(who#12 as string) = 17) AND city = 'b'", {"17"}),
        ("'x' = lower(t.\"who\")", {"x"}),
        ("`t`.`who` BETWEEN 'a' AND 'c'", {"a"}),
        ({"who": "it's"}, {"it's"}),
        ({"who": [1, "2"], "city": 3}, {"1", "2"}),
        ("['who' = ", set()),
        ("length(who) > 3 AND city = 'b'", {"3"}),
        ("is_null(who, city) OR city = 'b'", set()),
    ],
)
def test_a_value_is_told_wherever_and_however_it_is_compared(told, found):
    assert compared(told) == found


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("target.who = source.who", False),
        ("(t.who#1 = `s`.`who`#2)", False),
        ("target.who = source.id", True),
        ("who IS NULL", True),
        ("starts_with(who, 'a')", True),
        ("whole = 'a'", False),
        (" `who` ", False),
    ],
)
def test_a_text_mentions_a_column_unless_it_says_only_that_two_are_alike(text, is_told):
    assert log_texts.mentions(text, "who") == is_told


def test_our_own_deletions_say_nothing_of_anybody():
    assert not log_texts.mentions('target."who" = source.id', "who", is_ours=True)
    assert log_texts.mentions("who = 'a'", "who", is_ours=True)


def test_ids_are_named_whole_and_for_sure_if_chance_would_not_name_them():
    ids = {"7", "customer-17", "Ada Lovelace", "customer-1"}
    text = "7 rows of customer-17, (Ada Lovelace)."
    assert log_texts.named(text, ids) == {"7", "customer-17", "Ada Lovelace"}
    assert log_texts.named_for_sure(text, ids) == {"customer-17"}


def test_counts_and_times_of_a_commit_are_no_texts_of_an_operation():
    told = {"operation": "DELETE", "operationMetrics": {"rows": 7}, "timestamp": 7}
    assert log_texts.operation({"commitInfo": told}) == {"operation": "DELETE"}
    assert log_texts.operation({"commitInfo": {"expunge": "log trimmed", "x": "7"}}) == {}
    assert log_texts.operation({"add": {}}) == {}
