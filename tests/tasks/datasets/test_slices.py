"""Slices: who may be told apart in evidence, and that each value stays with its row."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from tables import MARK

from tasks.datasets.rows import check_columns
from tasks.datasets.samples import sample_rows, sample_with_slices
from tasks.environment.settings import load_settings
from tasks.journal import journal
from tasks.journal.events.enrollment import DatasetSpec, Enrollment
from tasks.journal.reading import read_enrollment, record_enrollment
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError
from unlearning.model.rows import split_by_content
from unlearning.policy.budget import Deletions

ROWS = 120


def people(count=ROWS):
    """Rows whose first feature is the row number, from which every other column follows."""
    number = np.arange(count)
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
def place(tmp_path) -> str:
    uri = (tmp_path / "t").as_uri()
    for start in range(0, ROWS, 40):
        write_deltalake(uri, people().slice(start, 40), mode="append")
    return uri


def spec(uri, *slices, subject="subject_id"):
    return DatasetSpec(uri, ("features",), "label", subject, slices=slices)


def assert_right(rows, slices):
    numbers = [int(n) for n in rows.inputs[:, 0]]
    assert slices["region"] == [("north", "south", "missing")[n % 3] for n in numbers]
    assert slices["level"] == [str(n % 4) for n in numbers]
    assert slices["member"] == [("false", "true")[n % 5 == 0] for n in numbers]


def test_each_row_of_a_sample_keeps_its_own_values(place):
    found = sample_with_slices(
        load_settings(), spec(place, "region", "level", "member"), None, count=15, seed=3
    )
    assert found.rows.count == 15
    assert_right(found.rows, found.slices)


def test_slices_change_nothing_about_which_rows_are_drawn(place):
    without = [f"{MARK}-{n:05d}" for n in range(30)]
    bare = sample_rows(load_settings(), spec(place), None, count=12, seed=5, without=without)
    found = sample_with_slices(
        load_settings(), spec(place, "region"), None, count=12, seed=5, without=without
    )
    assert found.rows.inputs.equal(bare.inputs)
    assert found.rows.labels.equal(bare.labels)
    assert sample_with_slices(load_settings(), spec(place), None, count=12, seed=5).slices == {}


def test_the_halves_of_a_sample_are_those_of_its_rows(place):
    found = sample_with_slices(
        load_settings(), spec(place, "region", "level", "member"), None, count=90, seed=1
    )
    parts = found.halves()
    for part, rows in zip(parts, split_by_content(found.rows), strict=True):
        assert part.rows.inputs.equal(rows.inputs)
        assert part.rows.labels.equal(rows.labels)
        assert_right(part.rows, part.slices)
    assert sum(part.rows.count for part in parts) == 90


def test_no_subject_id_comes_with_a_sample(place):
    found = sample_with_slices(load_settings(), spec(place, "region"), None, count=20, seed=0)
    assert MARK not in repr(found)


def test_a_table_may_be_partitioned_by_a_slice(tmp_path):
    uri = (tmp_path / "parted").as_uri()
    write_deltalake(uri, people(), partition_by=["level"])
    check_columns(load_settings(), spec(uri, "level"), None)
    found = sample_with_slices(load_settings(), spec(uri, "level"), None, count=20, seed=0)
    assert found.slices["level"] == [str(int(n) % 4) for n in found.rows.inputs[:, 0]]


def test_a_feature_or_the_label_may_be_a_slice(place):
    both = DatasetSpec(place, ("level", "income"), "label", "subject_id", slices=("level", "label"))
    check_columns(load_settings(), both, None)
    found = sample_with_slices(load_settings(), both, None, count=20, seed=0)
    assert found.slices["level"] == [str(int(n)) for n in found.rows.inputs[:, 0]]
    assert found.slices["label"] == [str(n) for n in found.rows.labels.tolist()]


@pytest.mark.parametrize(
    ("column", "sentence"),
    [
        ("subject_id", "names the data subjects"),
        ("nowhere", "no column 'nowhere'"),
        ("income", "strings, integers or booleans"),
        ("features", "strings, integers or booleans"),
        ("many", "more than 50 values"),
    ],
)
def test_columns_that_make_no_slices_are_refused(place, column, sentence):
    with pytest.raises(DataError, match=sentence):
        check_columns(load_settings(), spec(place, "region", column), None)


def test_columns_that_make_slices_are_accepted(place):
    check_columns(load_settings(), spec(place, "region", "level", "member"), None)


def test_an_enrolment_keeps_its_slices_and_an_older_one_has_none(services):
    enrolled = Enrollment(
        model="income",
        version=1,
        digest="d1",
        dataset=spec("file:///t", "region", "level"),
        dataset_version=0,
        row_count=100,
        holdout="file:///h",
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=100),
    )
    record_enrollment(services.journal, enrolled)
    assert read_enrollment(services.journal, "income") == enrolled
    facts = asdict(enrolled)
    del facts["dataset"]["slices"]
    services.journal.append(journal.Entry(stream("income"), "enrolled/2", "ModelEnrolled", facts))
    assert read_enrollment(services.journal, "income").dataset == spec("file:///t")
