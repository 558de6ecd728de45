from tasks.journal.events.batches import ErasureIntended, FilesPurged, RowsErased
from tasks.journal.histories.table import TableHistory, note_table


def test_a_table_that_nobody_touched_has_no_rounds():
    table = TableHistory()
    assert (table.erased, table.purged) == ([], [])
    assert not table.is_begun
    assert not table.is_gone


def test_rounds_of_one_table_are_not_those_of_another():
    first, second = TableHistory(), TableHistory()
    round_of_one = RowsErased(
        table="t",
        version_before=0,
        rows_before=100,
        rows_matched=1,
        rows_appended=0,
        version_after=1,
        rows_after=99,
        rows_matched_after=0,
    )
    first.erased.append(round_of_one)
    assert first.erased == [round_of_one]
    assert second.erased == []


def test_a_deletion_is_under_way_until_the_files_of_its_round_are_gone():
    table = TableHistory()
    for _ in range(2):
        assert not table.is_under_way
        note_table(table, ErasureIntended(table="t", version_before=0, rows_before=100))
        assert table.is_begun
        assert table.is_under_way
        note_table(
            table,
            FilesPurged(
                table="t",
                files_removed=1,
                leftover_files=0,
                objects_searched=1,
                bytes_searched=1,
                ids_searched=1,
                ids_searched_as_words=1,
                hits=0,
                version=1,
                rows=99,
            ),
        )
    assert not table.is_under_way
