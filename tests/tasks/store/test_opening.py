import pytest

from tasks.environment.settings import load_settings
from tasks.store.files import FileStore
from tasks.store.opening import open_store
from tasks.store.s3 import S3Store
from unlearning.errors import SettingsError


@pytest.mark.parametrize("uri", ["ftp://x/y", "s3://", "relative/path", "file://server/share"])
def test_an_unusable_store_uri_is_refused(home, uri):
    with pytest.raises(SettingsError, match="EXPUNGE_STORE"):
        open_store(uri, load_settings())


def test_a_directory_of_any_name_is_opened_by_its_uri(tmp_path):
    place = tmp_path / "a b%"
    found = open_store(place.as_uri(), load_settings())
    assert isinstance(found, FileStore)
    assert found.root == place


def test_a_bucket_is_opened_below_its_prefix():
    found = open_store("s3://bucket/some/prefix/", load_settings())
    assert isinstance(found, S3Store)
    assert (found.bucket, found.prefix, found.uri) == (
        "bucket",
        "some/prefix/",
        "s3://bucket/some/prefix",
    )
