"""There is room for what takes the place of the files with the rows, or nothing is deleted."""

import shutil
from types import SimpleNamespace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import rows, subject

from tasks.environment.settings import load_settings
from tasks.tables import deletion, space
from tasks.tables.delta import storage_options
from unlearning.errors import DataError


@pytest.fixture
def place(tmp_path):
    """A table of two files, the second one with the subjects from 60 on, in odd folders."""
    place = tmp_path / "t"
    for first, region in ((0, "a b"), (60, "c%d")):
        part = rows(60, first=first)
        part = part.append_column("region", pa.array([region] * 60))
        write_deltalake(place, part, mode="append", partition_by=["region"])
    return place


@pytest.fixture
def free(monkeypatch):
    def leave(count):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=count))

    return leave


def size_of(place, folder):
    (file,) = (place / folder).glob("*.parquet")
    return file.stat().st_size


def refuse(place, *numbers):
    space.refuse_full(load_settings(), place.as_uri(), "subject_id", [subject(n) for n in numbers])


def test_only_files_with_rows_of_the_subjects_need_room(place, free):
    (folder,) = (p.name for p in place.glob("region=c*"))
    needed = size_of(place, folder)
    free(needed)
    refuse(place, 70, 71)
    free(needed - 1)
    with pytest.raises(DataError, match=r"0\.0 MB of files .* make room there, then run again"):
        refuse(place, 70)
    refuse(place, 900)
    free(10 * needed)
    refuse(place, 3, 70)


def test_a_deletion_writes_no_other_file_anew(place):
    before = set(place.rglob("*.parquet"))
    deletion.delete_rows(load_settings(), place.as_uri(), "subject_id", [subject(70)])
    kept = {p for p in map(place.joinpath, _paths(place)) if p in before}
    assert [p.parent.name for p in kept] == ["region=a%20b"]


def _paths(place):
    table = DeltaTable(place)
    root = str(place) + "/"
    return [uri.removeprefix(root) for uri in table.file_uris()]


def test_a_bucket_has_room(s3_bucket, free):
    uri = f"s3://{s3_bucket}/t"
    write_deltalake(uri, rows(5), storage_options=storage_options(load_settings(), uri))
    free(0)
    space.refuse_full(load_settings(), uri, "subject_id", [subject(1)])
