"""Rows of a table as tensors, whole or by subject."""

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tables import rows, subject

from tasks.datasets.rows import TableRows, check_columns, to_tensors
from tasks.environment.settings import load_settings
from tasks.journal.events.enrollment import DatasetSpec
from tasks.tables import deletion
from unlearning.errors import DataError


@pytest.fixture
def table(tmp_path) -> str:
    place = tmp_path / "t"
    write_deltalake(
        place, rows(60, seed=1), configuration={"delta.dataSkippingStatsColumns": "label"}
    )
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place.as_uri()


def spec(uri):
    return DatasetSpec(uri=uri, features=("features",), label="label", subject="subject_id")


def test_a_text_column_is_no_feature(table):
    wrong = DatasetSpec(table, ("subject_id",), "label", "subject_id")
    with pytest.raises(DataError, match="must hold numbers"):
        check_columns(load_settings(), wrong, None)


def test_a_stream_of_rows_is_the_table_whatever_the_chunk_size(table):
    for size in (7, 1000):
        found = TableRows(load_settings(), spec(table), 1)
        chunks = list(found.chunks(size))
        assert found.count == sum(len(labels) for _, labels in chunks) == 100
        assert all(len(labels) == size for _, labels in chunks[:-1])


def test_a_stream_without_subjects_has_every_other_row(table):
    gone = [subject(i) for i in (0, 7)]
    left = TableRows(load_settings(), spec(table), 1, without=gone)
    both = TableRows(load_settings(), spec(table), 1, only=gone)
    whole = TableRows(load_settings(), spec(table), 1)
    assert left.count == whole.count - both.count
    kept, gone_rows, every = (
        {tuple(x.tolist()) for inputs, _ in rows.chunks(16) for x in inputs}
        for rows in (left, both, whole)
    )
    assert kept == every - gone_rows


def test_a_pinned_version_still_shows_erased_rows_until_the_vacuum(table):
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(3)])
    assert TableRows(load_settings(), spec(table), 1, only=[subject(3)]).count == 1
    assert TableRows(load_settings(), spec(table), None, only=[subject(3)]).count == 0


def test_features_may_be_a_list_or_columns_with_shape_and_scale():
    listed = pa.table({"features": [[0, 255], [255, 0]], "label": [0, 1], "subject_id": ["a", "b"]})
    inputs, labels = to_tensors(
        listed, DatasetSpec("u", ("features",), "label", "subject_id", (1, 2), 255.0)
    )
    assert inputs.tolist() == [[[0.0, 1.0]], [[1.0, 0.0]]]
    assert labels.tolist() == [0, 1]
    columns = pa.table({"x": [1.5, 2.5], "y": [3, 4], "label": [1, 0]})
    assert to_tensors(columns, DatasetSpec("u", ("y", "x"), "label", "s"))[0].tolist() == [
        [3.0, 1.5],
        [4.0, 2.5],
    ]


@pytest.mark.parametrize("features", [[[1], [1, 2]], [[1, 2], None], [[1, None], [1, 2]]])
def test_ragged_or_missing_features_are_refused(features):
    table = pa.table({"features": features, "label": [0, 1]})
    with pytest.raises(DataError):
        to_tensors(table, spec("u"))
