"""The program that reads strangers' Parquet files, as it is run: on its own."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.intake import parquet_rows
from tasks.intake.parquet_rows import NESTED, TOO_LARGE, UNREADABLE


def run(data, *, rows=10, columns=3, size=10_000):
    limits = [str(limit) for limit in (rows, columns, size)]
    return subprocess.run(
        [sys.executable, "-I", parquet_rows.__file__, *limits],
        input=data,
        capture_output=True,
        check=False,
    )


def written(columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def test_rows_come_out_as_lines_of_json_without_what_they_lack():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    data = written({"request_id": ["R-1", None], "received_at": [moment, None], "n": [1, 2]})
    ended = run(data)
    assert ended.returncode == 0
    first, second = map(json.loads, ended.stdout.splitlines())
    assert first == {"request_id": "R-1", "received_at": "2026-01-02T00:00:00+00:00", "n": 1}
    assert second == {"n": 2}


def test_what_is_no_text_and_no_number_is_named_by_its_kind():
    data = written({"subject_id": [datetime(2026, 1, 2, tzinfo=UTC)], "bytes": [b"x"]})
    assert json.loads(run(data).stdout) == {"subject_id": ["datetime"], "bytes": ["bytes"]}


@pytest.mark.parametrize(
    ("data", "limits", "status"),
    [
        (b"no Parquet", {}, UNREADABLE),
        (written({"a": [[1]]}), {}, NESTED),
        (written({"a": range(11)}), {}, TOO_LARGE),
        (written({"a": [1], "b": [1], "c": [1], "d": [1]}), {}, TOO_LARGE),
        (written({"a": ["x" * 900]}), {"size": 500}, TOO_LARGE),
    ],
    ids=["other bytes", "a list", "rows", "columns", "bytes"],
)
def test_a_file_beyond_its_limits_is_refused_by_its_exit_status(data, limits, status):
    ended = run(data, **limits)
    assert (ended.returncode, ended.stdout) == (status, b"")
