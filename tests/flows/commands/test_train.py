import tomllib

import pytest

pytestmark = pytest.mark.usefixtures("home")


def test_a_file_is_printed_to_be_edited_and_read_again(expunge, tmp_path):
    said = expunge("train", "income", "--table", "data/train", "--init", "--epochs", 7)
    assert said.status == 0
    found = tomllib.loads(said.out)
    assert (found["model"], found["table"], found["training"]) == (
        "income", "data/train", {"epochs": 7},
    )  # fmt: skip
    assert "retraining" not in found["unlearning"]
    config = tmp_path / "model.toml"
    config.write_text(said.out)
    assert expunge("train", "--config", config, "--init").out == said.out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("training.epochs = 0", "training.epochs is 0; give at least 1."),
        ("training.epoch = 1", "there is no option training.epoch; is it training.epochs?"),
        ("unlearning.retraining.epochs = 3", "there is no option unlearning.retraining"),
        ("version = 3", "there is no option version"),
        ('policy.undecided = "ask"', "policy.undecided is 'ask', but it should be 'retrain' or"),
        ("model = 'income'", "Name the table: on the command line, or with a line"),
    ],
)
def test_what_a_file_may_not_say_is_refused_before_any_work(expunge, tmp_path, line, told):
    config = tmp_path / "model.toml"
    config.write_text(line)
    said = expunge("train", "income", "--config", config).sentence
    assert told in said
    assert said.startswith("expunge: ")


def test_a_flag_of_a_method_is_none_any_more(expunge):
    assert "--policy.references" in expunge("train", "income", "--policy.references", 2).sentence
