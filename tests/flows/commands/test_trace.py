import io
import json

import pytest
from small_tables import MARK, subject


@pytest.mark.usefixtures("home")
def test_who_is_unknown_is_not_on_record(expunge):
    said = expunge("trace", "--subject", subject(1))
    assert (said.status, json.loads(said.out)) == (0, [])
    assert "Nothing on record." in said.err


@pytest.mark.usefixtures("home")
def test_something_to_follow_must_be_named(expunge):
    assert "Name a --subject, or a --model with its --version." in expunge("trace").sentence
    assert "Name a --subject" in expunge("trace", "--model", "income").sentence


@pytest.mark.usefixtures("world")
def test_a_subject_given_or_read_from_standard_input_is_followed(expunge, monkeypatch):
    given = expunge("trace", "--subject", subject(1))
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{subject(1)}\n"))
    read = expunge("trace", "--subject", "-")
    assert given.out == read.out
    assert json.loads(given.out)
    assert "R-1" in given.out
    assert MARK not in given.out + given.err


@pytest.mark.usefixtures("world")
def test_a_version_is_followed_back_to_what_it_was_made_of(expunge):
    assert json.loads(expunge("trace", "--model", "income", "--version", 2).out)
