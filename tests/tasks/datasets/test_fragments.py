"""Which files and row groups a rank reads: all ranks together every row once."""

import factories
import pyarrow.compute as pc
import pytest
import torch
from deltalake import DeltaTable
from small_tables import subject

from tasks.datasets.fragments import TableShare, row_groups
from tasks.datasets.rows import TableRows
from tasks.environment.settings import load_settings
from tasks.tables.delta import arrow_dataset, open_table
from unlearning.model.rows import gather


def dataset(uri, *slices, **changes):
    return factories.dataset(uri=uri, slices=slices, **changes)


@pytest.mark.parametrize("world", [1, 2, 3, 40])
def test_the_shares_of_all_ranks_are_the_table_once(grouped, world):
    for only in (None, [subject(i) for i in range(0, 100, 9)]):
        shares = [
            TableRows(load_settings(), dataset(grouped), None, only=only, part=(r, world))
            for r in range(world)
        ]
        whole = gather(TableRows(load_settings(), dataset(grouped), None, only=only))
        found = [gather(share) for share in shares if share.count]
        assert sum(share.count for share in shares) == whole.count
        rows_of = [torch.cat([r.inputs, r.labels[:, None]], 1).tolist() for r in (*found, whole)]
        *mine, all_of_them = (sorted(r) for r in rows_of)
        assert sorted(row for part in mine for row in part) == all_of_them
        if world == 2:
            assert abs(shares[0].count - shares[1].count) <= 10


def of(group):
    """First subject of a row group."""
    return group.to_table(columns=["subject_id"])["subject_id"][0].as_py()


def test_row_groups_come_by_file_name_and_place_with_their_rows(grouped):
    groups = row_groups(arrow_dataset(DeltaTable(grouped)), None)
    assert [rows for _, rows in groups].count(10) == 5 + 3 + 1
    assert sum(rows for _, rows in groups) == 100
    paths = [group.path for group, _ in groups]
    assert paths == sorted(paths)
    assert [of(group) for group, _ in groups] == [
        of(group) for group, _ in row_groups(arrow_dataset(DeltaTable(grouped)), None)
    ]


def test_row_groups_without_a_wanted_row_are_left_out(grouped):
    wanted = pc.field("subject_id").isin([subject(3), subject(4), subject(99)])
    found = row_groups(arrow_dataset(DeltaTable(grouped)), wanted)
    assert sorted(rows for _, rows in found) == [1, 2]


def test_more_ranks_than_row_groups_leave_some_with_nothing(grouped):
    table = open_table(load_settings(), grouped)
    shares = [TableShare(table, None, (rank, 40)) for rank in range(40)]
    assert sum(share.count for share in shares) == 100
    assert min(share.count for share in shares) == 0
    assert not list(shares[39].batches(["label"], 10))


def test_a_share_comes_in_batches_of_at_most_the_size_asked_for(grouped):
    share = TableShare(open_table(load_settings(), grouped), None, (0, 2))
    batches = list(share.batches(["label"], 4))
    assert max(batch.num_rows for batch in batches) <= 4
    assert sum(batch.num_rows for batch in batches) == share.count
