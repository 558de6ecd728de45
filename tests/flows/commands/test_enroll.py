import tomllib

import pytest

pytestmark = pytest.mark.usefixtures("home")


def test_a_file_is_printed_to_be_edited_and_read_again(expunge, tmp_path):
    flags = ("--shape", 1, 28, 28, "--loss", "binary_cross_entropy", "--trust-pickle")
    said = expunge("enroll", "photos", *flags, "--init")
    found = tomllib.loads(said.out)
    assert (found["shape"], found["trust_pickle"]) == ([1, 28, 28], True)
    assert found["loss"] == "binary_cross_entropy"
    assert "training" not in found
    config = tmp_path / "model.toml"
    config.write_text(said.out)
    assert expunge("enroll", "--config", config, "--init").out == said.out


def test_what_must_be_given_is_asked_for_one_after_the_other(expunge):
    assert "Name the model" in expunge("enroll").sentence
    assert "Name the table" in expunge("enroll", "photos").sentence
    assert "Name the holdout" in expunge("enroll", "photos", "--table", "a").sentence


def test_a_file_that_is_not_there_is_named(expunge):
    said = expunge("enroll", "photos", "--config", "nowhere.toml").sentence
    assert "nowhere.toml cannot be read (No such file or directory)" in said
