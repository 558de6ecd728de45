import pytest

from unlearning.policy.digests import pseudonym
from unlearning.policy.subject_kinds import PERSON, is_kind, kind_pseudonym

KEY = b"k" * 32


def test_a_person_has_the_pseudonym_of_the_id_and_other_kinds_have_others():
    found = {kind: kind_pseudonym(KEY, kind, "17") for kind in (PERSON, "customer", "employee")}
    assert found[PERSON] == pseudonym(KEY, "17")
    assert len(set(found.values())) == 3


def test_no_kind_and_id_make_the_pseudonym_of_another_kind():
    assert kind_pseudonym(KEY, "a", "b17") != kind_pseudonym(KEY, "ab", "17")


@pytest.mark.parametrize("text", ["person", "employee_2", "gym-member", "a"])
def test_names_of_kinds(text):
    assert is_kind(text)


@pytest.mark.parametrize("text", ["", "Person", "2nd", "-x", "a b", "é", "a" * 33, "a\n", "a\0"])
def test_what_cannot_name_a_kind(text):
    assert not is_kind(text)
