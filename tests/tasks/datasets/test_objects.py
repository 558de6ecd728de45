"""Rows that point to images are read as those images, or refused in a sentence without a key."""

import os
import traceback
from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from object_world import key_of, photo, photo_spec, with_photos
from small_tables import MARK, rows

from tasks.datasets import objects
from tasks.datasets.rows import TableRows, column_errors
from tasks.datasets.samples import sample_with_slices
from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.tables.object_places import MOST_BYTES
from unlearning.errors import UnfitRowsError

COUNT = 12


@pytest.fixture
def prefix(tmp_path):
    return (tmp_path / "my photos").as_uri()


@pytest.fixture
def spec(prefix, tmp_path):
    table = (tmp_path / "t").as_uri()
    write_deltalake(table, with_photos(rows(COUNT, seed=1), prefix, 0))
    return photo_spec(table, prefix)


@pytest.mark.parametrize("system", ["file", "s3"])
def test_rows_are_the_images_that_they_point_to(system, request, prefix, tmp_path, monkeypatch):
    if system == "s3":
        prefix = f"s3://{request.getfixturevalue('s3_bucket')}/my%20photos"
    spec = photo_spec((tmp_path / "t").as_uri(), prefix)
    write_deltalake(spec.uri, with_photos(rows(COUNT, seed=1), prefix, 0))
    settings, wanted = load_settings(), rows(COUNT, seed=1)["features"].to_pylist()
    (inputs, labels), *_ = TableRows(settings, spec, None).chunks(COUNT)
    assert inputs.flatten(1).tolist() == wanted
    assert labels.tolist() == rows(COUNT, seed=1)["label"].to_pylist()
    sample = sample_with_slices(settings, spec, None, count=COUNT, seed=0)
    assert sorted(sample.rows.inputs.flatten(1).tolist()) == sorted(wanted)
    assert pa.types.is_large_binary(sample.table["photo"].type)
    monkeypatch.setattr(objects, "_MOST_ROWS", 5)
    batches = list(TableRows(settings, spec, None).batches(COUNT))
    assert [one.num_rows for one in batches] == [5, 5, 2]
    assert batches[0]["photo"].to_pylist() == [photo(one) for one in wanted[:5]]


def spoil(spec, what):
    settings = load_settings()
    store = open_store(spec.prefixes[0], settings)
    file = store.root / key_of(3)  # pyright: ignore[reportAttributeAccessIssue]
    if what in ("missing", "pipe"):
        store.delete(key_of(3))
        if what == "pipe":
            os.mkfifo(file)
    elif what == "large":
        os.truncate(file, MOST_BYTES + 1)
    elif what == "no image":
        store.put(key_of(3), b"person")
    else:
        addresses = {"outside": f"s3://other/{key_of(3)}", "above": f"../{key_of(3)}"}
        row = rows(1, first=99).drop_columns("features")
        row = row.append_column("photo", [[addresses.get(what)]])
        write_deltalake(spec.uri, row, mode="append")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", r"1 rows of .* point to objects that are not there, in column 'photo'"),
        ("pipe", r"1 rows of .* point to objects that are not there"),
        ("large", r"has more than 256 MiB"),
        ("no image", "cannot be read as PNG or JPEG"),
        ("outside", r"1 rows of .* have an address in column 'photo' that is not below"),
        ("above", "that is not below"),
        ("no address", "A feature or label is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_without_its_address(spec, what, said):
    spoil(spec, what)
    with pytest.raises(UnfitRowsError, match=said) as refused:
        list(TableRows(load_settings(), spec, None).chunks(COUNT))
    assert MARK not in "".join(traceback.format_exception(refused.value))


def test_objects_that_are_held_at_once_have_a_limit_for_every_row(spec, monkeypatch):
    settings, stored = load_settings(), DeltaTable(spec.uri).to_pyarrow_table()
    size = sum(info.size for info in open_store(spec.prefixes[0], settings).list_objects(""))
    monkeypatch.setattr(objects, "_MOST_HELD", size)
    objects.with_objects(stored, spec, settings)
    sample_with_slices(settings, spec, None, count=COUNT, seed=0)
    with pytest.raises(UnfitRowsError, match="needed at once"):
        objects.with_objects(pa.concat_tables([stored, stored.slice(0, 1)]), spec, settings)
    monkeypatch.setattr(objects, "_MOST_HELD", size - 1)
    with pytest.raises(UnfitRowsError, match="needed at once"):
        sample_with_slices(settings, spec, None, count=COUNT, seed=0)


def test_a_link_is_as_good_as_nothing(spec, tmp_path):
    file = tmp_path / "my photos" / key_of(3)
    file.rename(tmp_path / "elsewhere.png")
    file.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(UnfitRowsError, match="not there"):
        list(TableRows(load_settings(), spec, None).chunks(COUNT))


def test_only_text_can_hold_addresses_and_only_features_are_read(spec):
    settings = load_settings()
    assert list(column_errors(settings, spec, None)) == []
    (column,) = spec.objects
    of_labels = replace(spec, objects=(replace(column, column="label"), column))
    assert "addresses of objects as text" in str(list(column_errors(settings, of_labels, None)))
    absent = replace(spec, objects=(replace(column, column="scan"), column))
    (error,) = column_errors(settings, absent, None)
    assert error.line == "--objects COLUMN=PREFIX"
    stored = DeltaTable(spec.uri).to_pyarrow_table()
    unread = replace(spec, features=("label",))
    assert objects.with_objects(stored, unread, settings) is stored
