import gzip
import io

import pytest

from tasks.intake import csv_rows
from tasks.intake.csv_rows import CUT
from tasks.intake.request_files import parse
from unlearning.errors import RequestError

TEXT = "request_id,subject_id\nR-1,cust-7\nR-2,cust-1234"


def rows(text, longest=100):
    lines = io.StringIO(text, newline="")
    return list(csv_rows.rows(iter(lines), ("request_id", "subject_id"), longest))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_come_by_the_names_of_the_header_whatever_ends_a_line(end):
    found = rows(TEXT.replace("\n", end) + end)
    assert [fields["subject_id"] for fields, _ in found] == ["cust-7", "cust-1234"]


@pytest.mark.parametrize("cut", range(TEXT.index("R-2") + 1, len(TEXT) + 1))
def test_a_last_line_without_its_end_names_nobody_wherever_it_is_cut(cut):
    first, last = rows(TEXT[:cut])
    assert first == ({"request_id": "R-1", "subject_id": "cust-7"}, "")
    assert last == (None, CUT)


def test_a_quoted_last_cell_without_a_line_end_names_nobody_either():
    assert rows('request_id,subject_id\nR-1,"cust-12"')[-1] == (None, CUT)


def test_a_header_without_its_end_is_no_request():
    assert rows("request_id,subject_id") == []


def test_gzip_proves_that_the_last_line_is_whole():
    data = gzip.compress(TEXT.encode(), mtime=0)
    assert [row.fields["subject_id"] for row in parse("a.csv.gz", data)] == ["cust-7", "cust-1234"]
    with pytest.raises(RequestError, match="gzip"):
        parse("a.csv.gz", data[:-9])


def test_a_row_longer_than_allowed_is_refused():
    with pytest.raises(RequestError, match="longer than 20"):
        rows(f"request_id,subject_id\n{'x' * 21},1\n", longest=20)
