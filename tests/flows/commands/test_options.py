import tomllib

import pytest

from flows.commands.enroll import EnrollFlags
from flows.commands.options import EnrollOptions, SourceFlags, TrainOptions, options_of
from flows.commands.train import TrainFlags
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import SettingsError


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "model.toml"
    path.write_text(
        'model = "income"\ntable = "train"\nholdout = "s3://lake/holdout"\nfeatures = ["a", "b"]\n'
        'unlearning.method = "scrub"\nunlearning.seed = 4\nbudget.max_updates = 2\n'
    )
    return path


def test_the_file_is_enough(config):
    options = options_of(EnrollOptions, "enroll", SourceFlags(config=config), None)
    assert options is not None
    source = options.source("binary_cross_entropy")
    assert source.model == "income"
    assert source.dataset.features == ("a", "b")
    assert source.holdout == "s3://lake/holdout"
    assert source.unlearning == UnlearningConfig(method="scrub", seed=4)
    assert source.budget.max_updates == 2
    assert source.loss == "binary_cross_entropy"


def test_a_file_names_the_columns_of_each_argument(config, capsys):
    config.write_text(config.read_text() + '[inputs]\nuser = ["a"]\nmore = ["b", "c"]\n')
    options = options_of(EnrollOptions, "enroll", SourceFlags(config=config), None)
    assert options is not None
    found = options.source().dataset
    assert [(one.name, one.columns) for one in found.inputs] == [
        ("user", ("a",)),
        ("more", ("b", "c")),
    ]
    assert found.features == ("a", "b", "c")
    options_of(EnrollOptions, "enroll", EnrollFlags(config=config, init=True), None)
    assert tomllib.loads(capsys.readouterr().out)["inputs"] == {"user": ["a"], "more": ["b", "c"]}


def test_columns_of_addresses_are_named_with_their_prefix(config, tmp_path):
    place = (tmp_path / "scans").as_uri()
    flags = EnrollFlags(config=config, objects=["b=s3a://lake/people/", f"a={tmp_path}/scans"])
    options = options_of(EnrollOptions, "enroll", flags, None)
    assert options is not None
    found = {one.column: one.prefix for one in options.source().dataset.objects}
    assert found == {"a": place, "b": "s3://lake/people"}


def test_flags_go_before_the_file(config):
    flags = EnrollFlags(config=config, table="other", method="ssd", version=3, trust_pickle=True)
    options = options_of(EnrollOptions, "enroll", flags, "photos")
    assert options is not None
    assert (options.model, options.table, options.version) == ("photos", "other", 3)
    assert options.unlearning == UnlearningConfig(method="ssd", seed=4)
    assert options.trust_pickle


def test_flags_of_training_are_keys_of_its_table(config):
    config.write_text(config.read_text() + "training.epochs = 7\ntraining.batch_size = 9\n")
    flags = TrainFlags(config=config, epochs=3, seed=5)
    options = options_of(TrainOptions, "train", flags, None)
    assert options is not None
    assert (options.training.epochs, options.training.batch_size) == (3, 9)
    assert options.training.seed == 5
    assert options.unlearning.seed == 4


def test_a_flag_out_of_its_limits_is_not_blamed_on_the_file(config):
    with pytest.raises(SettingsError, match=r"^The command line: training\.epochs is 0"):
        options_of(TrainOptions, "train", TrainFlags(config=config, epochs=0), None)


def test_a_printed_file_holds_what_was_said_in_file_and_flags(config, capsys):
    flags = EnrollFlags(config=config, init=True, label="colour")
    assert options_of(EnrollOptions, "enroll", flags, None) is None
    said = tomllib.loads(capsys.readouterr().out)
    assert said["label"] == "colour"
    assert said["unlearning"]["seed"] == 4
    assert said["features"] == ["a", "b"]


def test_nothing_wrong_is_lost_in_printing_a_file(config):
    config.write_text("policy.nothing = 1")
    with pytest.raises(SettingsError, match=r"no option policy\.nothing"):
        options_of(EnrollOptions, "enroll", EnrollFlags(config=config, init=True), None)


def test_tables_have_their_one_address_and_folders_left_alone_their_one_spelling(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "train", target_is_directory=True)
    flags = EnrollFlags(
        table="link/", holdout="s3a://lake//hold%6Fut/", tolerate=["/./x".strip("/")]
    )
    options = options_of(EnrollOptions, "enroll", flags, "income")
    assert options is not None
    source = options.source()
    assert source.dataset.uri == (tmp_path / "train").as_uri()
    assert source.holdout == "s3://lake/holdout"
    assert source.tolerated == ("x/",)
