import contextlib
import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.intake.request_files import MAX_BYTES, MAX_ROWS, parse, plain_text
from unlearning.errors import RequestError

ROW = {"request_id": "R-1", "subject_id": "s-1", "received_at": "2026-01-02T03:04:05Z"}


def _parquet(rows, **options):
    return _written(pa.Table.from_pylist(rows), **options)


def _written(table, **options):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **options)
    return buffer.getvalue()


def _one_text_many_times():
    """200 GB of text in a file of two kilobytes."""
    places = pa.array([0] * 200_000, pa.int32())
    texts = pa.DictionaryArray.from_arrays(places, ["x" * 1_000_000])
    return pa.table({"request_id": places, "subject_id": texts})


FILES = {
    "a.json": json.dumps(ROW).encode(),
    "list.json": json.dumps([ROW]).encode(),
    "wrapped.json": json.dumps({"requests": [ROW]}).encode(),
    "a.jsonl": (json.dumps(ROW) + "\n\n").encode(),
    "a.csv": (",".join(ROW) + "\n" + ",".join(ROW.values()) + "\n").encode(),
    "bom.csv": b"\xef\xbb\xbf"
    + (",".join(ROW) + "\r\n" + ",".join(ROW.values()) + "\r\n").encode(),
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
        ("a.csv", b"request_id,subject\n1,2\n", "lacks the column subject_id in"),
        ("a.csv", b'request_id,subject_id\n"1,2\n', "CSV"),
        ("a.parquet", b"PAR1", "Parquet"),
        ("a.csv", b"request_id,subject_id,subject_id\n1,alice,bob\n", "twice"),
        ("a.xml", b"<a/>", "of an unknown type"),
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


def test_lines_may_end_as_on_any_system():
    line = json.dumps(ROW)
    rows = parse("a.jsonl", f"\ufeff{line}\r{line}\r\n\r\n{line}\n".encode())
    assert [row.fields for row in rows] == [ROW] * 3
    cells = ",".join(ROW.values())
    rows = parse("a.csv", f"{','.join(ROW)}\r{cells}\r\n{cells}\n".encode())
    assert [row.fields for row in rows] == [ROW] * 2


def test_a_list_may_be_wrapped_in_an_object_with_other_things():
    wrapped = {"sender": {"name": "x", "list": [1]}, "requests": [ROW, ROW], "count": 2}
    assert [r.fields for r in parse("a.json", json.dumps(wrapped).encode())] == [ROW, ROW]
    wrapped["requests"] = []
    with pytest.raises(RequestError, match="no request"):
        parse("a.json", json.dumps(wrapped).encode())


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('{"request_id": "1", "request_id": "2"}', "twice"),
        ('{"request_id": {"a": 1, "a": 2}}', "twice"),
        ('{"subject_id": "\\ud800"}', "Unicode"),
        ('{"subject_id": 1%s}' % ("0" * 5000), "digits"),
        ('{"subject_id": "%s"}' % ("x" * 5000), "4096 characters"),
        ('{"%s": 1}' % ("x" * 5000), "4096 characters"),
        ('{{"a": {}1{}}}'.format("[" * 9, "]" * 9), "deep"),
        ("{{{}}}".format(",".join(f'"f{n}": 1' for n in range(17))), "16 fields"),
        ("17", "not a JSON object"),
    ],
)
def test_one_odd_entry_does_not_block_the_others(entry, problem):
    good = json.dumps(ROW)
    for rows in (
        parse("a.json", f"[{good}, {entry}, {good}]".encode()),
        parse("a.jsonl", f"{good}\n{entry}\n{good}".encode()),
    ):
        assert [row.fields for row in rows] == [ROW, {}, ROW]
        assert [bool(row.problem) for row in rows] == [False, True, False]
        assert problem in rows[1].problem


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-1e999", "1.5", "true", "null", "[1]"])
def test_what_is_no_text_and_no_whole_number_is_no_id(text):
    (row,) = parse("a.jsonl", f'{{"subject_id": {text}}}'.encode())
    assert plain_text(row.fields["subject_id"]) is None


def test_a_formula_is_an_id_like_any_other():
    formula = "=cmd|' /C calc'!A1"
    (row,) = parse("a.csv", f"request_id,subject_id\nR-1,{formula}\n".encode())
    assert row.fields["subject_id"] == formula


BOMBS = {
    "zeros.csv.gz": lambda: gzip.compress(b"0" * (MAX_BYTES + 2)),
    "zeros.jsonl.gz": lambda: gzip.compress(b"0" * MAX_BYTES),
    "quote.csv.gz": lambda: gzip.compress(b'request_id,subject_id\n"' + b"\n" * (MAX_BYTES // 8)),
    "commas.csv.gz": lambda: gzip.compress(b"request_id,subject_id\n" + b"," * (MAX_BYTES // 4)),
    "objects.json.gz": lambda: gzip.compress(b"[" + b"{}," * (MAX_BYTES // 16) + b"{}]"),
    "list.json.gz": lambda: gzip.compress(b'[{"a":[' + b"0," * (MAX_BYTES // 8) + b"0]}]"),
    "deep.json.gz": lambda: gzip.compress(b"[" * (MAX_BYTES // 8)),
    "keys.json.gz": lambda: gzip.compress(
        b"{" + b",".join(b'"%d":0' % n for n in range(1_000_000)) + b',"requests":[1]}'
    ),
    "long.json.gz": lambda: gzip.compress(b'[{"a":"' + b"x" * (MAX_BYTES // 8) + b'"}]'),
    "lines.jsonl.gz": lambda: gzip.compress(b"{}\n" * (MAX_ROWS + 1)),
    "rows.parquet": lambda: _parquet([{"request_id": None}] * (MAX_ROWS + 1)),
    "page.parquet": lambda: _parquet([{"request_id": b"0" * 2**30}], use_dictionary=False),
    "dictionary.parquet": lambda: _written(_one_text_many_times(), store_schema=False),
    "nested.parquet": lambda: _parquet([{"request_id": [[["1"]]]}]),
    "columns.parquet": lambda: _parquet([{f"f{n}": 1 for n in range(17)}]),
}


def peak_kib():
    """The most memory that this process had since its peak was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_within_bounds(name):
    """A few kilobytes that want gigabytes: refused, with less than 640 MiB more in use."""
    data = BOMBS[name]()
    # Making the bomb, or one before it, may have taken more than reading it: begin anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kib()
    with contextlib.suppress(RequestError):
        rows = parse(name, data)
        assert all(row.problem for row in rows)
    assert peak_kib() - before < 640 * 1024


def test_a_file_larger_than_the_limit_is_refused_as_it_comes(monkeypatch):
    monkeypatch.setattr("tasks.intake.request_files.MAX_BYTES", 100)
    for name in ("a.csv", "a.csv.gz"):
        with pytest.raises(RequestError, match="split it"):
            parse(name, b"x" * 101)
    with pytest.raises(RequestError, match="split it"):
        parse("a.csv.gz", gzip.compress(b"x" * 101))


def test_a_file_with_too_many_rows_is_refused(monkeypatch):
    monkeypatch.setattr("tasks.intake.request_files.MAX_ROWS", 3)
    assert len(parse("a.jsonl", b"{}\n" * 3)) == 3
    with pytest.raises(RequestError, match="split it"):
        parse("a.jsonl", b"{}\n" * 4)


TEXT_FILES = sorted(name for name in FILES if not name.endswith("parquet"))


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(TEXT_FILES), st.booleans())
def test_any_bytes_either_parse_or_are_refused_in_words(data, name, zipped):
    with contextlib.suppress(RequestError):
        rows = parse(f"{name}.gz" if zipped else name, gzip.compress(data) if zipped else data)
        assert [row.index for row in rows] == list(range(len(rows)))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TEXT_FILES), st.integers(0, 200), st.binary(max_size=4), st.integers(0, 9))
def test_a_damaged_file_either_parses_or_is_refused_in_words(name, place, with_this, taken):
    whole = FILES[name]
    with contextlib.suppress(RequestError):
        for row in parse(name, whole[:place] + with_this + whole[place + taken :]):
            assert isinstance(row.fields, dict)


@settings(max_examples=12, deadline=None)  # each is a process of its own
@given(st.integers(4, 600), st.integers(0, 255))
def test_a_damaged_parquet_file_is_refused_in_words(place, byte):
    data = bytearray(FILES["a.parquet"])
    data[place % len(data)] = byte
    with contextlib.suppress(RequestError):
        parse("a.parquet", bytes(data))


IDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip() == text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=8))
def test_the_same_rows_come_back_from_every_text_format(pairs):
    rows = [{"request_id": request, "subject_id": subject} for request, subject in pairs]
    cells = io.StringIO()
    writer = csv.DictWriter(cells, ["request_id", "subject_id"])
    writer.writeheader()
    writer.writerows(rows)
    files = {
        "a.json": json.dumps(rows),
        "b.json": json.dumps({"requests": rows}, ensure_ascii=False),
        "a.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "a.csv": cells.getvalue(),
    }
    for name, text in files.items():
        assert [row.fields for row in parse(name, text.encode())] == rows


@pytest.mark.parametrize("depth", range(900, 1010, 7))
def test_no_depth_of_nesting_breaks_the_run(depth):
    data = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
    with contextlib.suppress(RequestError):
        parse("a.json", data)
