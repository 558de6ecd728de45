"""A table's history says when its rows changed."""

from datetime import UTC, datetime

from deltalake import DeltaTable, write_deltalake
from small_tables import rows

from tasks.tables.commits import commits


def test_every_version_is_told_with_its_time_and_whether_rows_changed(tmp_path):
    place = tmp_path / "t"
    before = datetime.now(UTC).replace(microsecond=0)
    write_deltalake(place, rows(10))
    write_deltalake(place, rows(10, first=10), mode="append")
    table = DeltaTable(place)
    table.alter.set_table_properties({"delta.dataSkippingNumIndexedCols": "0"})
    table.optimize.compact()
    table.delete("label = 1")
    table.restore(0)
    found = commits(DeltaTable(place))
    assert [one.version for one in found] == [0, 1, 2, 3, 4, 5]
    assert [one.changes_rows for one in found] == [True, True, False, False, True, True]
    assert all(before <= one.at <= datetime.now(UTC) for one in found)
    assert [one.at for one in found] == sorted(one.at for one in found)
