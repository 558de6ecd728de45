from tasks.journal.histories.table import TableHistory


def test_a_table_that_nobody_touched_has_no_rounds():
    table = TableHistory()
    assert (table.erased, table.purged) == ([], [])
    assert not table.is_begun
    assert not table.is_gone


def test_rounds_of_one_table_are_not_those_of_another():
    first, second = TableHistory(), TableHistory()
    first.erased.append(None)
    assert second.erased == []
