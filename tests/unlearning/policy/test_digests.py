import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unlearning.policy.digests import (
    HALF,
    bytes_digest,
    facts_digest,
    keyed_digest,
    keys_of,
    pseudonym,
    rekeyed,
    rekeyed_half,
)

FACTS = {"model": "m@3", "rows": 12, "share": 0.5, "parts": {"a": [1, 2], "b": None}}
SAFE = 2**53 - 1
NUMBERS = st.one_of(st.integers(-SAFE, SAFE), st.floats(allow_nan=False))
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(-SAFE, SAFE), st.floats(allow_nan=False), st.text()
)
FINITE = PLAIN.filter(lambda value: value not in (float("inf"), float("-inf")))


@given(items=st.dictionaries(st.text(max_size=5), FINITE, max_size=6), shuffler=st.randoms())
def test_the_order_of_the_keys_does_not_matter(items, shuffler):
    pairs = list(items.items())
    shuffler.shuffle(pairs)
    assert facts_digest({"in": dict(pairs)} | dict(pairs)) == facts_digest(items | {"in": items})


@pytest.mark.parametrize(
    "change",
    [
        {"model": "m@4"},
        {"rows": 13},
        {"rows": "12"},
        {"rows": True},
        {"share": 0.5000000000000001},
        {"parts": {"a": [2, 1], "b": None}},
        {"parts": {"a": [1, 2], "b": 0}},
        {"parts": {"a": [1, 2]}},
        {"more": None},
    ],
)
def test_any_changed_fact_changes_the_digest(change):
    assert facts_digest(FACTS | change) != facts_digest(FACTS)


def test_a_renamed_or_missing_key_changes_the_digest():
    renamed = {("Model" if name == "model" else name): value for name, value in FACTS.items()}
    missing = {name: value for name, value in FACTS.items() if name != "rows"}
    assert len({facts_digest(facts) for facts in (FACTS, renamed, missing, {})}) == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="JCS"):
        facts_digest({"deep": [{"loss": value}]})


def test_a_number_that_other_languages_would_round_is_refused():
    with pytest.raises(ValueError, match="safe integer"):
        facts_digest({"rows": 2**53})


def test_whole_numbers_are_the_same_in_either_form():
    assert facts_digest({"rows": 12.0}) == facts_digest({"rows": 12})


def test_digests_are_those_of_the_example_in_rfc_8785():
    facts = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f",
        "literals": [None, True, False],
    }
    text = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    ).encode()
    assert facts_digest(facts) == hashlib.sha256(text).hexdigest()


def test_digests_of_bytes_are_sha256():
    text = b"{}"
    assert bytes_digest(text) == hashlib.sha256(text).hexdigest()
    assert bytes_digest(b"") != bytes_digest(b"\0")


ID = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())
KEY = st.binary(min_size=16, max_size=32)


@given(key=KEY, subject=ID)
def test_a_pseudonym_is_32_hex_digits_and_the_same_each_time(key, subject):
    assert re.fullmatch("[0-9a-f]{32}", pseudonym(key, subject))
    assert pseudonym(key, subject) == pseudonym(key, subject)


@given(keys=st.lists(KEY, min_size=2, max_size=2, unique_by=lambda key: key.ljust(64, b"\0")))
def test_another_key_gives_another_pseudonym(keys):
    assert pseudonym(keys[0], "subject-17") != pseudonym(keys[1], "subject-17")


@given(key=KEY, subjects=st.lists(ID, min_size=2, max_size=2, unique=True))
def test_another_subject_has_another_pseudonym(key, subjects):
    assert pseudonym(key, subjects[0]) != pseudonym(key, subjects[1])


@pytest.mark.parametrize("subject", ["anna@example.org", "4711", "deadbeef", "Zoë 1"])
def test_a_pseudonym_neither_shows_the_id_nor_is_its_plain_hash(subject):
    name = pseudonym(b"k" * 32, subject)
    assert subject not in name
    assert subject.encode().hex() not in name
    assert not hashlib.sha256(subject.encode()).hexdigest().startswith(name)


def test_the_pseudonym_of_a_known_key_and_id():
    # RFC 4231, test case 2
    assert pseudonym(b"Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c7"


def test_a_keyed_digest_is_an_hmac_of_canonical_json():
    by_hand = hmac.new(b"k", b'{"a":[1],"b":"x"}', hashlib.sha256).hexdigest()
    assert keyed_digest(b"k", {"b": "x", "a": [1]}) == by_hand
    assert keyed_digest(b"l", {"b": "x", "a": [1]}) != by_hand


WHOLE = st.binary(min_size=32, max_size=32)


@given(keys=st.lists(WHOLE, min_size=1, max_size=4), subject=ID)
def test_a_pseudonym_under_one_key_more_needs_no_id(keys, subject):
    secret = b"".join(keys)
    assert keys_of(secret) == keys
    made = rekeyed(b"n" * 32, pseudonym(secret, subject))
    assert made == pseudonym(secret + b"n" * 32, subject)
    assert re.fullmatch("[0-9a-f]{32}", made)


@given(key=WHOLE, subject=ID)
def test_half_a_pseudonym_is_enough_for_its_half_under_one_key_more(key, subject):
    made = pseudonym(key, subject)
    assert rekeyed_half(b"n" * 32, made[:HALF]) == rekeyed(b"n" * 32, made)[:HALF]
    assert rekeyed(b"m" * 32, made) != rekeyed(b"n" * 32, made) != made
