import pytest

pytestmark = pytest.mark.usefixtures("home")
WHO = ("--by", "Ada", "--reason", "wrong file")


def test_a_batch_that_is_not_there_is_named(expunge):
    said = expunge("reject", "b-1", *WHO).sentence
    assert "There is no batch 'b-1'" in said
    assert "expunge status" in said


def test_somebody_must_answer_for_it(expunge):
    assert "--by" in expunge("reject", "b-1").sentence
    assert "--by NAME" in expunge("reject", "b-1", "--by", " ", "--reason", "x").sentence


def test_a_rejection_needs_a_reason(expunge):
    assert "--reason" in expunge("reject", "b-1", "--by", "Ada").sentence
