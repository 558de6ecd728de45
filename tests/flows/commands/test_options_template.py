import re
import tomllib

import pytest

from flows.commands.options import EnrollOptions, TrainOptions
from flows.commands.options_file import Layer, laid_over
from flows.commands.options_template import template
from flows.commands.train import TRAINED_AS_RETRAINED

PLACES = {"model": "income", "table": "data/train", "holdout": "data/holdout"}
ODD = 'a "quoted" \\ name\tof\nMünchen 🙂 \x7f\x01'
KINDS = [(EnrollOptions, frozenset()), (TrainOptions, frozenset({TRAINED_AS_RETRAINED}))]


def uncommented(text):
    """The file after a person took the # away before each default that TOML can hold."""
    return re.sub(r"^# (\w+ = (?!…|\"…\").*)$", r"\1", text, flags=re.MULTILINE)


@pytest.mark.parametrize(("options", "absent"), KINDS)
def test_a_template_read_again_changes_nothing(options, absent):
    text = template(options, "enroll", PLACES, absent)
    assert tomllib.loads(text).keys() >= PLACES.keys()
    found = laid_over(options, [Layer("file", tomllib.loads(text))], absent)
    assert found == options(**PLACES)


@pytest.mark.parametrize(("options", "absent"), KINDS)
def test_the_defaults_in_a_template_are_the_defaults(options, absent):
    table = tomllib.loads(uncommented(template(options, "enroll", PLACES, absent)))
    assert laid_over(options, [Layer("file", table)], absent) == options(**PLACES)
    assert table["policy"]["max_mia_auc"] == 0.55
    # Not DescentConfig's own default, which is another.
    assert table["unlearning"]["fine_tuning"]["epochs"] == 10
    assert table["features"] == ["features"]


def test_every_option_stands_in_the_template_with_its_meaning():
    text = template(EnrollOptions, "enroll", {})
    assert text.count("\n# max_share = ") == 2  # of budget and approval
    for line in ('# table = "…"  # must be given', "# version = …", "[unlearning.scrub]"):
        assert line in text.splitlines()
    assert "# Highest accepted `mia_auc`; above it the forget rows are still remembered.\n" in text
    assert "One of retrain, accept." in text
    values = re.findall(r"^# \w+ = .*\n(?!\n|$)", text, flags=re.MULTILINE)
    assert not values  # one blank line after each, so that the meaning stands beside its option
    assert max(map(len, text.splitlines())) <= 100


def test_what_is_given_stands_in_the_template_as_it_was_given():
    given = {"table": ODD, "slices": ["a", "b"], "policy": {"min_power": 1e-07}}
    text = template(EnrollOptions, "enroll", given)
    assert tomllib.loads(text)["table"] == ODD
    assert tomllib.loads(text)["slices"] == ["a", "b"]
    assert tomllib.loads(text)["policy"] == {"min_power": 1e-07}


def test_what_means_nothing_to_a_command_is_left_out():
    text = template(TrainOptions, "train", PLACES, {TRAINED_AS_RETRAINED})
    assert "[unlearning.retraining]" not in text
    assert "[training]" in text
