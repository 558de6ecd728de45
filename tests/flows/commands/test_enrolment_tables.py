"""What is printed of a check and of an enrolment can be read and typed as it is."""

from dataclasses import replace

from flows.commands.enrolment_tables import print_check, print_outlook
from flows.console import Plain
from tasks.enrolling.checking import EnrolmentCheck
from tasks.enrolling.obstacles import Obstacle
from tasks.enrolling.outlook import Available, Outlook
from unlearning.model.form import ModelForm
from unlearning.policy.prospects import Prospect

FORM = ModelForm(
    form="exported",
    architecture="exported program",
    parameters=1234567,
    trainable=7,
    layers={"linear": 2, "dropout": 1},
    mode_layers=("dropout",),
    tied=(),
)
OUTLOOK = Outlook(
    form=FORM,
    rungs=(
        Available(name="update", said="calibrated", seconds=4.0),
        Available(name="retrain", said="fresh weights", why_not="Its mode is lost."),
    ),
    evidence=(Available(name="attack", said="by the loss"),),
    prospects=(Prospect(rows=1, power=None, ending="Nobody knows."),),
    advice=("Log it pickled.",),
)
FOUND = EnrolmentCheck(
    model="income",
    version=3,
    obstacles=(),
    notes=("Few rows.",),
    row_count=1000,
    input_shape=(40,),
    classes=2,
    loss="cross_entropy",
    outlook=OUTLOOK,
)


def printed(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_what_was_recognised_and_what_follows_is_printed(capsys):
    print_check(Plain(width=120), FOUND, ["income"])
    text = printed(capsys)
    for part in ("income version 3", "2 linear", "1,234,567", "dropout", "float32 [40]", "0 to 1"):
        assert part in text
    for part in (
        "4.0 seconds",
        "Its mode is lost.",
        "unknown",
        "Note: Few rows.",
        "Log it pickled",
    ):
        assert part in text
    assert text.endswith("It can be enrolled: expunge enroll income")


def test_flags_that_help_are_added_to_what_was_typed(capsys):
    pickled = [Obstacle(text, "--trust-pickle") for text in ("Pickled.", "That, too.")]
    obstacles = (*pickled, Obstacle("Wrong.", "model.eval()"))
    found = replace(FOUND, obstacles=obstacles, outlook=None, version=None)
    print_check(Plain(width=120), found, ["my model", "--label", "y"])
    text = printed(capsys)
    assert "model.eval()" in text
    said = "Look again with: expunge enroll 'my model' --label y --check --trust-pickle"
    assert text.endswith(said)


def test_a_flag_that_is_to_be_given_in_another_way_is_not_typed_twice(capsys):
    found = replace(FOUND, obstacles=(Obstacle("No such column.", "--features COLUMN"),))
    print_check(Plain(width=120), found, ["--features", "a", "b", "--label", "y", "income"])
    assert printed(capsys).endswith("expunge enroll --label y income --check --features COLUMN")


def test_of_another_library_its_columns_and_classes_are_printed(capsys):
    form = replace(FORM, form="opaque", architecture="sklearn", layers={})
    found = replace(
        FOUND,
        columns=("job string", "age int32"),
        class_names=("high", "low"),
        outlook=replace(OUTLOOK, form=form),
    )
    print_check(Plain(width=120), found, ["wages"])
    text = printed(capsys)
    for part in ("MLflow's flavour sklearn", "job string, age int32", "high, low", "1,000"):
        assert part in text
    assert "parameters" not in text


def test_an_enrolment_ends_with_the_same_tables(capsys):
    print_outlook(Plain(width=120), OUTLOOK)
    text = printed(capsys)
    assert "recognised" not in text
    assert "would end in" in text
