"""What training and holdout table share: people, and the same row under another id."""

import pyarrow as pa
from small_tables import rows

from tasks.enrolling.overlap import Overlap, find_overlap


def test_tables_without_anything_in_common_are_told_apart(services, source_of, caplog):
    source = source_of(rows(40, seed=1), rows(30, first=40, seed=2))
    assert find_overlap(services, source) == Overlap(subjects=0, rows=0)
    assert not caplog.records


def test_the_same_rows_under_other_ids_are_found(services, source_of, caplog):
    training = rows(40, seed=1)
    copied = training.slice(0, 5).set_column(
        0, "subject_id", pa.array([f"other-{number}" for number in range(5)])
    )
    source = source_of(training, pa.concat_tables([rows(30, first=40, seed=2), copied]))
    assert find_overlap(services, source) == Overlap(subjects=0, rows=5)
    assert "5 of its rows are the same as training rows" in caplog.text
    assert "other-" not in caplog.text


def test_people_in_both_tables_are_counted(services, source_of):
    source = source_of(rows(40, seed=1), rows(30, first=38, seed=2))
    assert find_overlap(services, source) == Overlap(subjects=2, rows=0)


def test_the_same_features_with_another_label_are_another_row(services, source_of):
    training = rows(10, seed=1)
    flipped = [1 - label for label in training["label"].to_pylist()]
    other = training.set_column(1, "label", pa.array(flipped)).set_column(
        0, "subject_id", pa.array([f"other-{number}" for number in range(10)])
    )
    assert find_overlap(services, source_of(training, other)).rows == 0
