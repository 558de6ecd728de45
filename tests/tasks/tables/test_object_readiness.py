"""Objects that could not be removed, or are not those of rows, are refused in time."""

import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import write_deltalake
from small_tables import rows

from tasks.environment.settings import load_settings
from tasks.tables.object_places import ObjectPlace
from tasks.tables.object_readiness import (
    refuse_other_contents,
    refuse_overlap,
    refuse_undeletable,
)
from unlearning.errors import DataError


@pytest.mark.parametrize("other", ["s3://lake/people", "s3://lake", "s3://lake/people/photos/x"])
def test_a_prefix_holds_nothing_else_and_lies_in_nothing_else(other):
    with pytest.raises(DataError, match="with a table"):
        refuse_overlap("s3://lake/people/photos", {other: "a table"})


@pytest.mark.parametrize("other", ["s3://lake/people/photos-2", "s3://lake/p", "file:///lake"])
def test_neighbours_are_no_overlap(other):
    refuse_overlap("s3://lake/people/photos", {other: "a table"})


def test_a_table_or_a_model_below_a_prefix_is_found(tmp_path):
    place = ObjectPlace(load_settings(), tmp_path.as_uri())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "MLmodel.png").touch()
    refuse_other_contents(place)
    (tmp_path / "photos" / "MLmodel").touch()
    with pytest.raises(DataError, match="the files of a model") as refused:
        refuse_other_contents(place)
    assert refused.value.line == "--objects COLUMN=PREFIX"
    write_deltalake(tmp_path / "a" / "b", rows(2))
    with pytest.raises(DataError, match="a Delta table"):
        refuse_other_contents(place)


def test_links_to_a_prefix_and_below_it_are_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    with pytest.raises(DataError, match="A link leads to"):
        refuse_other_contents(ObjectPlace(load_settings(), (tmp_path / "link").as_uri()))
    (tmp_path / "photos" / "loop").symlink_to("loop")
    place = ObjectPlace(load_settings(), (tmp_path / "photos").as_uri())
    with pytest.raises(DataError, match="1 links lie below"):
        refuse_other_contents(place)
    with pytest.raises(DataError, match=r"1 objects below .* are reached by a link"):
        refuse_undeletable(place, ["loop", "absent"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_from_which_nothing_may_be_removed_is_refused(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(DataError, match="cannot be written"):
        refuse_undeletable(ObjectPlace(load_settings(), tmp_path.as_uri()))


def test_a_bucket_is_left_as_it_was_by_the_try(s3_bucket):
    place = ObjectPlace(load_settings(), f"s3://{s3_bucket}/photos")
    place.store.put("a.png", b"x")
    refuse_undeletable(place, ["a.png"])
    assert [info.key for info in place.store.list_objects("")] == ["a.png"]
    assert place.store.count_noncurrent("") == 0


def test_an_object_that_its_bucket_retains_is_refused(s3_bucket, monkeypatch):
    client = ObjectPlace(load_settings(), f"s3://{s3_bucket}/x").store.client  # pyright: ignore[reportAttributeAccessIssue]
    bucket = f"locked-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    place = ObjectPlace(load_settings(), f"s3://{bucket}/photos")
    until = datetime.now(UTC) + timedelta(seconds=8)
    client.put_object(
        Bucket=bucket, Key="photos/kept.png", Body=b"x",
        ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
    )  # fmt: skip
    place.store.put("free.png", b"x")
    refuse_undeletable(place, ["free.png", "absent.png"])
    with pytest.raises(DataError, match=r"1 objects below .* are kept by their bucket"):
        refuse_undeletable(place, ["free.png", "kept.png"])
