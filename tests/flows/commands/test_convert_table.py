import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from small_tables import MARK, rows

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "people"
    path.mkdir()
    for number in range(2):
        pq.write_table(rows(50, first=50 * number), path / f"{number}.parquet")
    return path


def test_a_folder_becomes_a_table_in_place(expunge, folder):
    said = expunge("convert-table", folder)
    assert said.status == 0
    assert "100 rows in 2 files, version" in " ".join(said.out.split())
    assert "Next: expunge enroll or expunge train" in " ".join(said.out.split())
    assert len(DeltaTable(folder).to_pyarrow_table()) == 100
    assert MARK not in said.out + said.err


def test_the_option_that_would_help_is_named(expunge, folder):
    said = expunge("convert-table", folder, "--subject-column", "customer").sentence
    assert "has no column 'customer'; name another with --subject-column." in said
    assert not (folder / "_delta_log").exists()
