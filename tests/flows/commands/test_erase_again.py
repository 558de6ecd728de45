import pytest

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")
WHO = ("--by", "Ada", "--reason", "a new contract")


def test_somebody_decides_about_a_subject_by_pseudonym(expunge, world):
    who = world.requests()["R-3"].facts.subject
    assert "--reason" in expunge("erase-again", who, "--by", "Ada").sentence
    assert "on the suppression list" in expunge("erase-again", "nobody", *WHO).sentence
    said = expunge("erase-again", who, *WHO)
    assert "has no row in any table" in said.out + said.err
