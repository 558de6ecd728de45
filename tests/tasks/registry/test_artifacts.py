import pytest

from tasks.environment.settings import load_settings
from tasks.registry import artifacts
from tasks.registry.artifacts import FilesLeft
from unlearning.errors import DataError


def test_what_lies_at_a_place_is_counted_removed_and_counted_again(made):
    settings = made.services.settings
    place = made.client.get_model_version_download_uri("income", "1")
    assert artifacts.files_left(settings, place) == FilesLeft(objects=2, old_versions=0)
    artifacts.wipe(settings, place)
    assert artifacts.files_left(settings, place).is_empty


def test_a_bare_path_is_a_place_as_well(home):
    (folder := home / "model").mkdir()
    (folder / "data.pt2").write_bytes(b"remember")
    assert artifacts.files_left(load_settings(), str(folder)).objects == 1


def test_old_versions_that_are_hidden_do_not_count_as_none_seen():
    assert FilesLeft(objects=0, old_versions=None).is_empty
    assert not FilesLeft(objects=0, old_versions=1).is_empty


def test_weights_that_are_a_link_are_not_purged_for_good(home, tmp_path):
    (elsewhere := tmp_path / "weights").write_bytes(b"remember")
    (place := home / "model").mkdir()
    (place / "data.pt2").symlink_to(elsewhere)
    assert not artifacts.files_left(load_settings(), str(place)).is_empty
    with pytest.raises(DataError, match="links"):
        artifacts.wipe(load_settings(), str(place))
    assert elsewhere.exists()
    assert (place / "data.pt2").is_symlink()
