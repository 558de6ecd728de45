"""A check tells everything that stands in the way of an enrolment, and changes nothing."""

from dataclasses import replace

import pyarrow as pa
import pytest
import recipes_of_owners
from logged_models import every_byte, log_model
from small_tables import rows
from torch import nn

from tasks.enrolling.checking import check_enrolment
from tasks.enrolling.enroll import enroll_version
from tasks.registry.model_files import Trust
from tasks.registry.services import Services
from unlearning.errors import ModelError
from unlearning.training.architectures import mlp

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow and torch warn of their own formats


@pytest.fixture
def source(source_of):
    return source_of(rows(300), rows(300, first=300))


def check(services, source, version=None, *, promote=False, **trust):
    rehearsing = Services.rehearsing(services.settings)
    return check_enrolment(rehearsing, source, version, Trust(**trust), promote=promote)


def said(found):
    return " ".join(one.text for one in found.obstacles)


def dropping():
    return nn.Sequential(nn.Linear(40, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def test_a_model_that_fits_is_described_and_could_be_enrolled(services, source):
    version = log_model(services, mlp(40, (4,), 2, seed=0), form="pt2")
    found = check(services, source)
    assert (found.is_possible, found.version, found.row_count) == (True, version, 300)
    assert (found.input_shape, found.classes) == ((40,), 2)
    assert found.outlook is not None
    assert found.outlook.form.form == "exported"
    assert not any(one.why_not for one in found.outlook.rungs)
    enroll_version(services, source, version, trust_pickle=False)


def test_a_check_changes_no_byte_of_home_and_tables(services, source, tmp_path):
    log_model(services, dropping())
    (services.settings.home / "pseudonym.key").unlink(missing_ok=True)
    before = every_byte(tmp_path)
    assert check(services, source, pickle=True).is_possible
    assert every_byte(tmp_path) == before


def test_where_nothing_was_made_yet_nothing_is_made(source_of, tmp_path, monkeypatch):
    from tasks.environment.settings import load_settings

    monkeypatch.setenv("EXPUNGE_HOME", str(tmp_path / "none"))
    source = source_of(rows(30), rows(30, first=30))
    found = check_enrolment(Services.rehearsing(load_settings()), source, None, Trust())
    assert "no registered model 'income'" in said(found)
    assert not (tmp_path / "none").exists()


def test_obstacles_of_gate_tables_and_model_come_in_one_go(services, source_of):
    table = rows(300).append_column("region", pa.array(["north"] * 300))
    source = source_of(table, rows(300, first=300))
    wanted = replace(source.dataset, label="class", slices=("region", "town"))
    wrong = replace(source, dataset=wanted, widened_by="")
    log_model(services, dropping())
    found = check(services, wrong)
    text = said(found)
    for part in ("say who answers", "no column 'class'", "no column 'town'", "is pickled"):
        assert part in text
    flags = " ".join(one.flags for one in found.obstacles)
    for flag in ("--widened-by", "--label", "--slices", "--trust-pickle"):
        assert flag in flags
    assert found.version == 1


def test_what_is_wrong_with_labels_and_scores_is_told_together(services, source_of):
    table = rows(300)
    labels = pa.array([one + 2 for one in table["label"].to_pylist()])
    source = source_of(table.set_column(1, "label", labels), rows(300, first=300))
    blind = nn.Linear(40, 2)
    nn.init.zeros_(blind.weight)
    log_model(services, nn.Sequential(blind, nn.Softmax(dim=1)))
    found = check(services, source, pickle=True)
    assert "labels go up to 3" in said(found)
    assert "same scores for every row" in said(found)
    assert any("gives probabilities; they are read as the scores" in one for one in found.notes)


def test_an_exported_model_with_dropout_is_told_that_it_cannot_be_retrained(services, source):
    log_model(services, dropping(), form="pt2")
    found = check(services, source)
    assert found.is_possible
    assert found.outlook is not None
    assert found.outlook.form.mode_layers == ("dropout",)
    whys = {one.name: one.why_not for one in (*found.outlook.rungs, *found.outlook.evidence)}
    assert "exported with dropout" in whys["retrain"]
    assert whys["update"] == whys["stronger update"] == ""
    (advice,) = found.outlook.advice
    assert "cannot be retrained" in advice
    assert "serialization_format='pickle'" in advice
    assert "--trust-pickle" in advice


def test_a_version_that_nobody_serves_is_no_obstacle_but_noted(services, source):
    version = log_model(services, mlp(40, (4,), 2, seed=0), form="pt2", alias=False)
    unnamed = check(services, source)
    assert [one.line for one in unnamed.obstacles] == ["--promote"]
    assert not any("holds the alias" in one for one in unnamed.notes)
    assert (unnamed.version, unnamed.outlook is not None) == (version, True)
    found = check(services, source, version)
    assert found.is_possible
    assert "add --promote" in " ".join(found.notes)
    promoted = check(services, source, version, promote=True)
    assert promoted.is_possible
    assert "holds the alias" not in " ".join(promoted.notes)
    assert check(services, source, promote=True).version == version


def test_what_a_check_refuses_enrolment_refuses_with_the_same_words(services, source):
    log_model(services, mlp(40, (4,), 2, seed=0))
    (obstacle,) = check(services, source).obstacles
    with pytest.raises(ModelError) as caught:
        enroll_version(services, source, None, trust_pickle=False)
    assert str(caught.value) == obstacle.text
    assert obstacle.flags == "--trust-pickle"


def test_files_that_are_not_there_are_told_also_where_the_model_cannot_be_asked(services, source):
    log_model(services, mlp(40, (4,), 2, seed=0))
    found = check(services, replace(source, recipe="no.py", prepare="none.py"), 7)
    assert [one.text.partition(";")[0] for one in found.obstacles] == [
        "income has no version 7",
        "income version 1 is pickled, and loading it runs code from the registry",
        "The recipe no.py cannot be read (No such file or directory)",
        "The preparation none.py cannot be read (No such file or directory)",
    ]
    assert found.obstacles[0].line == "--version 1"


def test_a_holdout_without_rows_enough_leaves_no_canaries(services, source):
    log_model(services, mlp(40, (4,), 2, seed=0), form="pt2")
    found = check(services, source)
    assert found.outlook is not None
    (canaries,) = [one for one in found.outlook.evidence if one.name == "canaries"]
    assert "128 are needed" in canaries.why_not


def test_a_table_is_looked_at_and_left_as_it_is(services, source, tmp_path):
    (tmp_path / "train" / "notes.txt").write_text("mine")
    log_model(services, mlp(40, (4,), 2, seed=0), form="pt2")
    found = check(services, source)
    assert "not the table's own" in said(found)
    assert "--tolerate" in " ".join(one.flags for one in found.obstacles)


def test_a_recipe_is_tried_too_and_makes_a_retrain_of_what_nobody_else_can_train(
    services, source, tmp_path
):
    log_model(services, recipes_of_owners.mlp(), form="pt2")
    without = check(services, source)
    assert "--recipe FILE" in without.outlook.advice[0]
    sound = replace(source, recipe=recipes_of_owners.written(tmp_path, recipes_of_owners.MLP))
    before = every_byte(tmp_path)
    found = check(services, sound)
    assert found.is_possible
    assert not any(one.why_not for one in found.outlook.rungs)
    retrain = found.outlook.rungs[2]
    assert "by its owner's recipe" in retrain.said
    assert retrain.seconds
    assert every_byte(tmp_path) == before
    bad = replace(source, recipe=recipes_of_owners.written(tmp_path, "train = 1"))
    assert "defines no function `train`" in said(check(services, bad))
