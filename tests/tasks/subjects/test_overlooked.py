"""A second subject column of a table is told of, and nobody hears that they have no rows there."""

from dataclasses import replace

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import world

from tasks.certificates.alarms import alarms
from tasks.journal.reading import read_enrollment, record_enrollment
from tasks.subjects.overlooked import overlooked

__all__ = ["world"]

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")

STRANGER, THERE = 9000, 20


def overwrite(uri, told):
    write_deltalake(uri, told, mode="overwrite", schema_mode="overwrite")


def enroll_by_boss(world):
    """What an earlier release let happen: the same table by another column, of another kind."""
    place = f"file://{world.folder}/staff"
    told = DeltaTable(world.table).to_pyarrow_table()
    for uri in (world.table, place):
        bosses = pa.array([f"boss-{n:05d}" for n in range(told.num_rows)])
        overwrite(uri, told.append_column("boss", bosses))
    known = read_enrollment(world.services.journal, "income")
    spec = replace(known.dataset, subject="boss", subject_kind="employee")
    newest = DeltaTable(world.table).version()
    changed = replace(known, dataset=spec, holdout=place, dataset_version=newest)
    record_enrollment(world.services.journal, changed)


def test_of_whom_a_table_is_searched_by_another_column_nobody_can_tell(world):
    enroll_by_boss(world)
    (one,) = overlooked(world.services)
    assert (one.uri, one.column) == (world.table, ("subject_id", "person"))
    assert any(
        "column 'subject_id'" in text and world.table in text for text in alarms(world.services)
    )
    world.submit("S", [STRANGER, THERE])
    world.run()
    for number in (STRANGER, THERE):
        assert world.requests()[f"S-{number}"].status == "cannot_tell"
        told = world.certificate(f"S-{number}")["models_not_asked"]
        assert f"income, enrolled on {world.table} by column 'subject_id'" in told


def test_a_column_of_the_same_kind_that_got_another_name_is_none(world):
    known = read_enrollment(world.services.journal, "income")
    spec = replace(known.dataset, subject="customer")
    for uri in known.tables:
        told = DeltaTable(uri).to_pyarrow_table()
        names = ["customer" if n == "subject_id" else n for n in told.column_names]
        overwrite(uri, told.rename_columns(names))
    record_enrollment(world.services.journal, replace(known, dataset=spec))
    assert overlooked(world.services) == []
