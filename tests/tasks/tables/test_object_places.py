"""Which address is which object, and which is none of ours."""

import traceback
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tasks.environment.settings import load_settings
from tasks.journal.events.enrollment import ObjectColumn
from tasks.store.objects import MissingObjectError
from tasks.tables.delta import open_table
from tasks.tables.object_places import ObjectPlace, pointed, refuse_outside, unnamed
from unlearning.errors import DataError, ExpungeError, TransientError

BUCKET, FOLDER = "s3://lake/people/my%20photos", "file:///lake/people/my%20photos"


@pytest.mark.parametrize(
    ("prefix", "address", "key"),
    [
        (BUCKET, "a/b.png", "a/b.png"),
        (BUCKET, "s3://lake/people/my photos/a.png", "a.png"),
        (BUCKET, "s3a://lake/people/my photos/a%20b?c#1.png", "a%20b?c#1.png"),
        (BUCKET, "s3://lake/people/my%20photos/a.png", None),
        (BUCKET, "s3://other/people/my photos/a.png", None),
        (BUCKET, "s3://lake/people/my photos", None),
        (BUCKET, "s3://lake/people/my photos-2/a.png", None),
        (BUCKET, "/a.png", None),
        (BUCKET, "file:///a.png", None),
        (BUCKET, "https://lake/a.png", None),
        (FOLDER, "file:///lake/people/my%20photos/a%23.png", "a#.png"),
        (FOLDER, "file:/lake/people/my photos/a.png", "a.png"),
        (FOLDER, "/lake/people/my photos/a%20.png", "a%20.png"),
        (FOLDER, "file:///lake/people/other/a.png", None),
        (FOLDER, "file:///lake/people/my%20photos/%ff.png", None),
        (FOLDER, "file://host/lake/people/my%20photos/a.png", None),
        (FOLDER, "s3://lake/people/my photos/a.png", None),
        *((place, odd, None) for place in (BUCKET, FOLDER) for odd in (
            "", ".", "..", "../a.png", "a/../b.png", "a//b.png", "a/", "a/./b", "a\0b", "x" * 1100,
            "file:a.png", "s3:///a.png", "t/_delta_log/0.json", "m/MLmodel",
        )),
    ],
)  # fmt: skip
def test_an_address_is_a_key_below_its_prefix_or_nothing(prefix, address, key):
    assert ObjectPlace(load_settings(), prefix).key(address) == key


def test_an_object_has_one_address_below_every_prefix():
    near, far = (ObjectPlace(load_settings(), one) for one in (BUCKET, "s3://lake/people"))
    assert near.address("a.png") == far.address("my photos/a.png")


def test_files_behind_links_are_told(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    (tmp_path / "photos" / "b.png").symlink_to("a.png")
    (tmp_path / "photos" / "there").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to("photos")
    for top in ("photos", "link"):
        place = ObjectPlace(load_settings(), (tmp_path / top).as_uri())
        linked = [key for key in ("a.png", "b.png", "there/x", "c.png") if place.is_linked(key)]
        assert linked == ["b.png", "there/x"]


def test_rows_are_counted_that_point_elsewhere_and_those_without_an_address_are_not(tmp_path):
    uri, prefix = (tmp_path / "t").as_uri(), (tmp_path / "photos").as_uri()
    column = pa.array(["a.png", None, "a.png", "/etc/passwd"], pa.string())
    write_deltalake(uri, pa.table({"photo": column}))
    settings, one = load_settings(), ObjectColumn("photo", prefix)
    found = pointed(open_table(settings, uri), one, ObjectPlace(settings, prefix))
    assert (found.keys, found.outside) == ({"a.png"}, 1)
    with pytest.raises(DataError, match="1 rows of"):
        refuse_outside(uri, one, found.outside)
    with pytest.raises(DataError, match="no column 'scan' any more"):
        pointed(open_table(settings, uri), ObjectColumn("scan", prefix), ObjectPlace(settings, uri))


def away(kind):
    """A system that quotes a path in the cause of its error, and a key in the error itself."""
    try:
        Path("/photos", "anna.png").read_bytes()
    except OSError as error:
        raise kind("Away." if kind is TransientError else str(error)) from error


@pytest.mark.parametrize("kind", [MissingObjectError, TransientError, RuntimeError])
def test_no_key_and_no_path_gets_out_with_an_error(kind):
    with pytest.raises(ExpungeError) as raised, unnamed():
        away(kind)
    assert isinstance(raised.value, DataError if kind is RuntimeError else kind)
    assert "anna" not in "".join(traceback.format_exception(raised.value))
