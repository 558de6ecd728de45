"""One place, one address, however it is written."""

from pathlib import Path

import pytest

from tasks.environment.settings import load_settings
from tasks.store.address import address_of, canonical, column_below, own_folder
from tasks.store.opening import open_store
from unlearning.errors import SettingsError


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("file:///lake/train", "file:///lake/train"),
        ("file:///lake/train/", "file:///lake/train"),
        ("file:///lake//train/.//", "file:///lake/train"),
        ("file://localhost/lake/train", "file:///lake/train"),
        ("file:/lake/train", "file:///lake/train"),
        ("file:///lake/my table", "file:///lake/my%20table"),
        ("file:///lake/my%20table", "file:///lake/my%20table"),
        ("s3://lake/train/", "s3://lake/train"),
        ("s3://lake//a//train", "s3://lake/a/train"),
        ("s3a://lake/train", "s3://lake/train"),
        ("s3://lake/my table", "s3://lake/my%20table"),
        ("s3://lake/%74rain", "s3://lake/train"),
        ("s3://lake/region=north#1", "s3://lake/region%3Dnorth%231"),
        ("s3://lake/", "s3://lake"),
        ("ftp://x//y/", "ftp://x//y/"),
    ],
)
def test_every_spelling_of_a_place_is_one_address(spelling, address):
    assert canonical(spelling) == canonical(address) == address


def test_a_path_and_a_uri_of_it_are_one_address_and_links_are_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a b").mkdir()
    (tmp_path / "link").symlink_to("a b", target_is_directory=True)
    wanted = (tmp_path / "a b").as_uri()
    spellings = ["a b", "link/", f"file://{tmp_path}/link/", f"{wanted}/", f"file:{tmp_path}/a b"]
    assert {address_of(one) for one in spellings} == {wanted}
    assert address_of("s3://lake/train/") == "s3://lake/train"


def test_what_lies_at_an_address_lies_at_it_in_every_spelling(tmp_path, s3_bucket):
    for place in ((tmp_path / "a b").as_uri(), f"s3://{s3_bucket}/a b"):
        open_store(place, load_settings()).put("x", b"1")
        assert open_store(canonical(place), load_settings()).get("x") == b"1"
    assert Path(tmp_path / "a b" / "x").is_file()


def test_a_folder_below_a_table_has_one_spelling_and_the_table_itself_is_none():
    assert {own_folder(name) for name in ("a/b", "a/b/", "./a//b")} == {"a/b/"}
    for name in ("", "/", ".", "../x", "a/../b", "/a", "_delta_log", "_delta_log/x", "s3://x/y"):
        with pytest.raises(SettingsError, match="tolerate"):
            own_folder(name)


@pytest.mark.parametrize(
    "text", ["photo", "=s3://lake/people", "photo=", "photo=/", "p=ftp://x/y", "p=s3://b"]
)
def test_a_column_is_named_with_an_address_below_which_something_can_lie(text):
    with pytest.raises(SettingsError, match="objects is"):
        column_below(text)
    assert column_below("a=s3://lake/b=c") == ("a", "s3://lake/b%3Dc")
