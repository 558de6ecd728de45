"""What a checkpoint would keep of people's ids is found before anything is deleted."""

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Transaction, write_deltalake
from deltalake.transaction import CommitProperties
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.tables import deletion, transaction_log
from tasks.tables.lasting_texts import refuse_lasting_ids
from unlearning.errors import DataError

GONE = [subject(3), subject(70)]


@pytest.fixture
def place(tmp_path) -> str:
    """A table of two files in odd folders, with statistics on every column, ids included."""
    uri = (tmp_path / "t").as_uri()
    for first, region in ((0, "a b"), (60, "c%d")):
        part = rows(60, first=first).append_column("region", pa.array([region] * 60))
        write_deltalake(uri, part, mode="append", partition_by=["region"])
    return uri


def refuse(uri: str, ids=GONE) -> None:
    refuse_lasting_ids(load_settings(), uri, "subject_id", ids, ids)


def add(uri: str, number: int, referrer: str, region: str = "a b", **options) -> None:
    part = rows(1, first=number).append_column("region", pa.array([region]))
    part = part.append_column("referrer", pa.array([referrer]))
    write_deltalake(uri, part, mode="append", schema_mode="merge", **options)


def test_what_goes_with_the_rows_or_with_the_log_holds_nothing_up(place):
    refuse(place, [subject(0), subject(60), subject(119)])  # least and greatest of files
    DeltaTable(place).delete(f"subject_id = '{subject(3)}'")
    add(place, 500, subject(70))
    DeltaTable(place).delete(f"subject_id = '{subject(500)}'")
    refuse(place)


@pytest.mark.parametrize("what", ["description", "property", "column", "application"])
def test_what_is_said_of_the_table_itself_does(place, what):
    alter = DeltaTable(place).alter
    if what == "description":
        alter.set_table_description(f"without {subject(3)}")
    elif what == "property":
        alter.set_table_properties({"owner.note": f"ask {subject(3)}"}, raise_if_not_exists=False)
    elif what == "column":
        alter.set_column_metadata("label", {"comment": f"as of {subject(3)}"})
    else:
        told = CommitProperties(app_transactions=[Transaction(f"job-{subject(3)}", 1)])
        add(place, 500, "", commit_properties=told)
        told = CommitProperties(app_transactions=[Transaction(f"{subject(70)}", 1)])
        add(place, 501, "", commit_properties=told)
    with pytest.raises(DataError, match="take them out there") as error:
        refuse(place)
    assert MARK not in str(error.value)
    refuse(place, [subject(4)])


def test_statistics_of_rows_of_others_do_and_those_of_their_own_do_not(place):
    add(place, 3, subject(3))
    refuse(place)
    add(place, 500, subject(3))
    with pytest.raises(DataError, match="statistics of rows that are not theirs"):
        refuse(place)


def test_paths_do_as_long_as_checkpoints_keep_them(place):
    add(place, 500, "", region=subject(3))
    with pytest.raises(DataError, match="write it anew with another partitioning"):
        refuse(place)
    deletion.delete_rows(load_settings(), place, "subject_id", [subject(500)])
    transaction_log.trim(load_settings(), place)
    with pytest.raises(DataError, match="run again a week later"):
        refuse(place)
