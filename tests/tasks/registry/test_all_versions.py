"""One form for the addresses of the same files, and every version of every model in one search."""

import pytest

from tasks.registry import all_versions, model_versions
from tasks.registry.all_versions import files_key, listed_versions, without_secrets
from tasks.registry.artifacts import repository

LOGGED, RUN = f"m-{'a' * 32}", "b" * 32


@pytest.mark.parametrize(
    ("source", "key"),
    [
        (f"models:/{LOGGED}", LOGGED),
        (f"s3://bucket/1/models/{LOGGED}/artifacts/", LOGGED),
        (f"mlflow-artifacts:/1/models/{LOGGED}/artifacts", LOGGED),
        ("models:/income/3", "models:/income/3"),
        (f"runs:/{RUN}/model", f"runs:/{RUN}/model"),
        (f"file:///mlruns/0/{RUN}/artifacts/model", f"runs:/{RUN}/model"),
        ("s3://elsewhere/weights/", "s3://elsewhere/weights"),
        ("sftp://anna:s3cret@host:22/weights/", "sftp://host:22/weights"),
        ("https://host/weights?sig=t0ken#part", "https://host/weights"),
        ("", ""),
    ],
)
def test_the_same_files_have_one_key_whatever_their_address(source, key):
    assert files_key(source) == key


@pytest.mark.parametrize("ending", ["#1", "?x=1", "/#1"])
def test_addresses_have_one_key_where_mlflow_reads_one_place(services, tmp_path, ending):
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a").touch()
    place = f"file://{tmp_path}/weights"
    found = repository(services.settings, place + ending).list_artifacts()
    assert [one.path for one in found] == ["a"]
    assert files_key(place + ending) == files_key(place)
    read = repository(services.settings, "s3://b/a").parse_s3_compliant_uri
    assert [*map(str.rstrip, read("s3://b/a" + ending), ("", "/"))] == ["b", "a"]
    assert files_key("s3://b/a" + ending) == files_key("s3://b/a")


def test_a_path_and_a_name_may_hold_any_sign():
    assert files_key("/weights#1") != files_key("/weights#2")
    assert files_key("models:/income#1/3") == "models:/income#1/3"


def test_an_address_is_shown_without_what_opens_it():
    assert without_secrets("https://anna:s3cret@host:8443/a?sig=t0ken") == "https://host:8443/a"
    for plain in ("s3://bucket/a b/c", "file:///a/b", "models:/income/1", "/a/b", ""):
        assert without_secrets(plain) == plain


def test_versions_of_every_name_are_listed_a_page_at_a_time(made, monkeypatch):
    monkeypatch.setattr(model_versions, "_PAGE", 1)
    made.client.copy_model_version("models:/income/1", "prod")
    found = {
        (one.model, one.version): one.source for one in listed_versions(made.services.registry)
    }
    assert found.keys() == {("income", 1), ("prod", 1)}
    assert found["prod", 1] == "models:/income/1"


def test_aliases_are_told_by_version(made):
    made.client.set_registered_model_alias("income", "live", "1")
    assert all_versions.aliases_of(made.services.registry, "income") == {1: ("champion", "live")}
