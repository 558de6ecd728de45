import json
import tomllib

import pytest
from logged_models import every_byte, log_model
from small_tables import write_tables

from unlearning.training.architectures import mlp

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


@pytest.fixture
def places(tmp_path):
    train, holdout = write_tables(tmp_path / "tables", train=300, holdout=300)
    return ["--table", train, "--holdout", holdout]


@pytest.mark.filterwarnings("ignore")
def test_a_check_prints_every_obstacle_and_the_line_to_type(expunge, services, places, tmp_path):
    log_model(services, mlp(40, (4,), 2, seed=0))
    flags = [*places, "--label", "class"]
    before = every_byte(tmp_path)
    found = expunge("enroll", "income", *flags, "--check")
    assert found.status == 2
    text = " ".join(found.out.split())
    assert "nothing was changed" in text
    assert "is pickled" in text
    assert "no column 'class'" in text
    assert text.count("no column 'class'") == 1  # and not once for each table
    assert text.endswith("--check --label COLUMN --trust-pickle")
    assert "--label class" not in text.rpartition("Look again with")[2]
    assert every_byte(tmp_path) == before


@pytest.mark.filterwarnings("ignore")
def test_a_check_of_a_model_that_fits_prints_the_command_that_enrols_it(expunge, services, places):
    log_model(services, mlp(40, (4,), 2, seed=0))
    found = expunge("enroll", "income", *places, "--trust-pickle", "--check")
    assert found.status == 0, found
    text = " ".join(found.out.split())
    assert "It can be enrolled: expunge enroll income" in text
    assert text.endswith("--trust-pickle")
    facts = json.loads(expunge("enroll", "income", *places, "--trust-pickle", "--json").out)
    assert (facts["version"], facts["row_count"], facts["obstacles"]) == (1, 300, [])
    assert facts["outlook"]["form"]["parameters"] == 174


def test_help_begins_with_what_a_first_model_needs(expunge):
    text = expunge("enroll", "--help").out
    for name in (
        "table",
        "holdout",
        "label",
        "version",
        "loss",
        "trust-pickle",
        "promote",
        "check",
    ):
        assert f" --{name} " in text
    file = expunge("enroll", "--init").out
    for name in ("widened_by", "tolerate", "slices", "method", "trust_code", "table_version"):
        assert f" --{name.replace('_', '-')} " not in text
        assert f"{name} = " in file
    assert "The file that --init prints has them all" in " ".join(text.split())
