from tasks.journal.events.batches import RowsErased
from tasks.journal.histories.table import TableHistory


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
