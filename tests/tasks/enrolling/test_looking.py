"""What is looked at before a model is loaded: everything that can be told without it."""

from dataclasses import replace

import pytest
from small_tables import rows

from tasks.enrolling import looking
from tasks.enrolling.obstacles import Obstacles


@pytest.fixture
def source(source_of):
    return source_of(rows(30), rows(30, first=30))


def test_where_nothing_is_in_service_the_newest_version_is_looked_at(services, source):
    client = services.registry.client
    client.create_registered_model("income")
    seen = Obstacles()
    assert looking.version(services, source, None, promote=False, seen=seen) is None
    for number in range(2):
        client.create_model_version("income", f"s3://elsewhere/{number}")
    assert looking.version(services, source, None, promote=False, seen=seen) == 2
    assert [one.line for one in seen.found] == ["--promote"]
    assert list(looking.serving_notes(services, "income", is_needed=False)) == []
    assert list(looking.unasked_notes(services, "income", None)) == []
    (other,) = looking.unasked_notes(services, "income", 3)
    assert "versions 1, 2 of income" in other
    (note,) = looking.serving_notes(services, "income", is_needed=True)
    assert "add --promote" in note


def test_what_both_tables_lack_is_told_once_and_what_one_lacks_of_that_one(services, source_of):
    source = source_of(rows(30).append_column("region", [["north"] * 30]), rows(30, first=30))
    lacking = replace(source.dataset, label="class", slices=("region",))
    seen = Obstacles()
    assert not looking.at_tables(services, replace(source, dataset=lacking), seen)
    told = {one.line: one.text for one in seen.found}
    assert "train and file://" in told["--label COLUMN"]
    assert "both have subject_id, label, features" in told["--label COLUMN"]
    assert "holdout has no column 'region'" in told["--slices COLUMN"]
    assert "train " not in told["--slices COLUMN"]
    assert len(seen.found) == 2


def test_rows_and_a_sample_of_them_are_as_the_table_has_them(services, source):
    assert looking.row_count(services, source) == 30
    found = looking.sample(services, source, Obstacles())
    assert found is not None
    assert tuple(found.inputs.shape) == (30, 40)
    assert looking.at_tables(services, source, Obstacles())
    assert looking.origin(services, source, None, Obstacles()).version == 0
