"""Small real tables: of several files and row groups, and of people with slices."""

import numpy as np
import pyarrow as pa
import pytest
from deltalake import WriterProperties, write_deltalake
from small_tables import MARK, rows

GROUPS_OF_TEN = WriterProperties(max_row_group_size=10)
PEOPLE = 120


@pytest.fixture
def grouped(tmp_path) -> str:
    """A hundred rows in three files of several row groups."""
    uri = (tmp_path / "grouped").as_uri()
    for first, count in ((0, 50), (50, 37), (87, 13)):
        part = rows(count, first=first, seed=first)
        write_deltalake(uri, part, mode="append", writer_properties=GROUPS_OF_TEN)
    return uri


@pytest.fixture
def people() -> pa.Table:
    """Rows whose first feature is the row number, from which every other column follows."""
    number = np.arange(PEOPLE)
    regions = [None if n % 3 == 2 else ("north", "south")[n % 3] for n in number]
    return pa.table(
        {
            "subject_id": [f"{MARK}-{n:05d}" for n in number],
            "label": number % 2,
            "features": [[float(n), 0.5] for n in number],
            "region": pa.array(regions, pa.string()),
            "level": number % 4,
            "member": number % 5 == 0,
            "income": number / 7,
            "many": number % 51,
        }
    )


@pytest.fixture
def place(tmp_path, people) -> str:
    """Those rows in three files."""
    uri = (tmp_path / "people").as_uri()
    for start in range(0, PEOPLE, 40):
        write_deltalake(uri, people.slice(start, 40), mode="append")
    return uri
