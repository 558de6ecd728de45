import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.policy.spelling import (
    is_word_for_nothing,
    loose_form,
    loose_pseudonym,
    nearly_matches,
)

KEY = b"k" * 32
UUID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("stands", "asked"),
    [
        ("jdoe@example.org", "JDoe@Example.org"),
        ("jdoe@example.org", "mailto:jdoe@example.org"),
        ("jdoe@example.org", "<jdoe@example.org>"),
        ("jdoe@example.org", "jdoe@example.org\u00a0"),
        ("jdoe@example.org", "\ufeffjdoe@example.org"),
        ("jdoe@example.org", "jdoe\u200b@example.org"),
        ("José@example.org", unicodedata.normalize("NFD", "José@example.org")),
        ("STRASSE", "straße"),
        ("o'neil", "O\u2019Neil"),
        ("customer-17", "customer\u201117"),
        (UUID, "{" + UUID.upper() + "}"),
        (UUID, UUID.replace("-", "")),
        (UUID, f"urn:uuid:{UUID}"),
        ("17", "00017"),
        ("0042", "42"),
        ("17", "+17"),
        ("17", "17.0"),
        ("17", "17.00"),
        ("1001", "1.001E+03"),
        ("1003", "1,003"),
        ("1003", "1.003"),
        ("1234567", "1'234'567"),
        ("1234567", "1,234,567.00"),
        ("00123", '="00123"'),
        ("00124", "'00124"),
        ("17", "\uff11\uff17"),
        ("-17", "\u221217"),
    ],
)
def test_an_id_nearly_matches_its_other_spellings(stands, asked):
    assert nearly_matches(stands, asked)
    assert loose_pseudonym(KEY, stands) == loose_pseudonym(KEY, asked)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("17", "18"),
        ("17", "-17"),
        ("17", "170"),
        ("1.5", "15"),
        ("customer-1", "customer-10"),
        ("jdoe@example.org", "jdoe@example.com"),
        ("1" * 40, "1" * 39 + "2"),
        ("{}", "()"),
        ("17", "17a"),
    ],
)
def test_ids_of_different_people_do_not(one, other):
    assert not nearly_matches(one, other)


@pytest.mark.parametrize(
    "text",
    ["NULL", "N/A", "nan", "-", "\u2014", "#REF!", "#N/A", "(null)", "\\N", "[object Object]"],
)
def test_what_programs_write_for_nothing_is_no_id(text):
    assert is_word_for_nothing(text)


@pytest.mark.parametrize(
    "text", ["0", "17", "nancy", "Nil\u00e9", "null@example.org", "-1", "noneman"]
)
def test_what_may_well_be_one(text):
    assert not is_word_for_nothing(text)


def test_an_id_is_no_other_spelling_of_itself():
    assert not nearly_matches("17", "17")


SEEN = st.characters(categories=["L", "N", "P", "S"])


@given(st.text(SEEN, min_size=1, max_size=20))
def test_nothing_is_left_without_a_form_and_blanks_around_change_none(text):
    form = loose_form(text)
    assert form
    assert loose_form(f" {text}\u200b") == form


@given(st.integers(-(2**63), 2**64))
def test_the_form_of_a_whole_number_is_its_canonical_spelling(number):
    assert loose_form(str(number)) == str(number)
    assert loose_form(f"{number}.0") == str(number)


@pytest.mark.parametrize("text", ["1e999999999", "9" * 5000, "0" * 4096, "." * 4096, "{" * 4096])
def test_a_huge_number_costs_little(text):
    assert len(loose_form(text)) <= len(text)
