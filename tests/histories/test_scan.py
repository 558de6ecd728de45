"""Whoever lies in a file is found there, in whatever form."""

import gzip
import io
import sqlite3
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from histories.lake import Person
from histories.scan import scan

ANNA, NUMBER = Person("person", "anna@example.org"), Person("employee", "734001700002")


def parquet(column):
    file = io.BytesIO()
    pq.write_table(pa.table({"who": column}), file, compression="zstd", use_dictionary=False)
    return file.getvalue()


def archive(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("models/model.json", data)
    return file.getvalue()


@pytest.mark.parametrize(
    ("person", "data"),
    [
        (ANNA, b'{"who": "ANNA@example.org"}'),
        (ANNA, gzip.compress(archive(b"anna@example.org"), mtime=0)),
        (ANNA, parquet(pa.array(["anna@example.org"]))),
        (NUMBER, parquet(pa.array([734001700002], pa.int64()))),
        (NUMBER, (734001700002).to_bytes(8, "little")),
        (NUMBER, gzip.compress(b"a,734001700002,b", mtime=0)),
    ],
)
def test_an_id_is_found_in_every_form(tmp_path, person, data):
    (tmp_path / "some").write_bytes(data)
    assert scan([tmp_path], [ANNA, NUMBER]) == {person: {f"{tmp_path.name}/some"}}


def test_an_id_is_found_in_a_database_and_in_names(tmp_path):
    with sqlite3.connect(tmp_path / "some.db") as database:
        database.execute("create table t (n integer)")
        database.execute("insert into t values (734001700002)")
    (tmp_path / "anna@example.org").mkdir()
    name = tmp_path.name
    found = {NUMBER: {f"{name}/some.db"}, ANNA: {f"{name}/anna@example.org"}}
    assert scan([tmp_path], [ANNA, NUMBER]) == found


def test_nobody_is_found_where_nobody_lies(tmp_path):
    (tmp_path / "some").write_bytes(b"anna@example.com 73400170000")
    assert scan([tmp_path], [ANNA, NUMBER]) == {}
