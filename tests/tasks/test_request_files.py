import contextlib
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.request_files import parse
from unlearning.errors import RequestError

ROW = {"request_id": "R-1", "subject_id": "s-1", "received_at": "2026-01-02T03:04:05Z"}


def _parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


FILES = {
    "a.json": json.dumps(ROW).encode(),
    "list.json": json.dumps([ROW]).encode(),
    "wrapped.json": json.dumps({"requests": [ROW]}).encode(),
    "a.jsonl": (json.dumps(ROW) + "\n\n").encode(),
    "a.csv": (",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n").encode(),
    "bom.csv": b"\xef\xbb\xbf" + (",".join(ROW) + "\r\n" + ",".join(ROW.values())).encode(),
    "a.parquet": _parquet([ROW]),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_every_format_gives_the_same_row(name, zipped):
    data = gzip.compress(FILES[name]) if zipped else FILES[name]
    (row,) = parse(name + ".gz" if zipped else name, data)
    assert row.fields == ROW
    assert row.problem == ""


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.csv.gz", b"not gzip", "gzip"),
        ("a.csv.gz", gzip.compress(b"x" * 1000, mtime=0)[:-12], "gzip"),
        ("a.json", b"{", "JSON"),
        ("a.json", b"[" * 100_000, "JSON"),
        ("a.json", b"\xff\xfe", "UTF-8"),
        ("a.jsonl", b"no\nno\n", "no line"),
        ("a.csv", b"who,what\n1,2\n", "lacks the columns"),
        ("a.csv", b'request_id,subject_id\n"1,2\n', "CSV"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.json", b'{"request_id": "1", "request_id": "2"}', "JSON"),
        ("a.csv", b"request_id,subject_id,subject_id\n1,alice,bob\n", "twice"),
        ("a.xml", b"<a/>", "unknown file type"),
        ("a.json", b"[]", "no request"),
        ("a.csv", b"", "lacks"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name, data, reason):
    with pytest.raises(RequestError, match=reason):
        parse(name, data)


def test_one_bad_line_does_not_block_the_others():
    lines = parse("a.jsonl", f"{json.dumps(ROW)}\noops\n[1]\n".encode())
    assert [bool(row.problem) for row in lines] == [False, True, True]


def test_a_csv_row_of_the_wrong_length_is_marked():
    rows = parse("a.csv", b"request_id,subject_id\nR-1,s-1\nR-2\nR-3,s-3,more\n")
    assert [bool(row.problem) for row in rows] == [False, True, True]


@given(st.binary(max_size=300), st.sampled_from(sorted(FILES)))
def test_any_bytes_either_parse_or_are_refused_in_words(data, name):
    with contextlib.suppress(RequestError):
        rows = parse(name, data)
        assert [row.index for row in rows] == list(range(len(rows)))


@given(st.integers(4, 600), st.integers(0, 255))
def test_a_damaged_parquet_file_is_refused_in_words(place, byte):
    data = bytearray(FILES["a.parquet"])
    data[place % len(data)] = byte
    with contextlib.suppress(RequestError):
        parse("a.parquet", bytes(data))


@pytest.mark.parametrize("depth", range(900, 1010, 7))
def test_no_depth_of_nesting_breaks_the_run(depth):
    data = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    with contextlib.suppress(RequestError):
        parse("a.json", data)
