"""Rows deleted with exact arithmetic, whoever else writes."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import GONE, ROWS
from small_tables import rows, subject
from two_tables import FIRST, enroll_photos, work_off
from worked_on import move_table, resolved

from tasks.erasure import batch_rows, files
from tasks.erasure import rows as rows_gone
from tasks.intake import batches
from tasks.journal.reading import read_batch
from tasks.report import batch_facts
from tasks.subjects import open_batches, resolution, suppression_list
from tasks.tables import deletion, delta
from unlearning.errors import ConflictError, DataError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_deletion_that_was_not_recorded_is_found_not_repeated(batch, table, monkeypatch):
    batch.of(table)
    with monkeypatch.context() as patch:
        patch.setattr(rows_gone, "deletions", lambda *_: 1 / 0)  # killed after the commit
        with pytest.raises(ZeroDivisionError):
            batch.erase()
    write_deltalake(table, rows(5, first=200), mode="append")
    erased = batch.erase()
    assert (erased.rows_before, erased.rows_matched, erased.rows_after) == (100, 2, 98)


def appending(monkeypatch, numbers):
    """Another job appends a row of each subject, one right after each deletion."""
    left, real = list(numbers), batch_rows.delete_rows

    def delete(settings, uri, *rest):
        real(settings, uri, *rest)
        if left:
            write_deltalake(uri, rows(1, first=left.pop(0)), mode="append")

    monkeypatch.setattr(batch_rows, "delete_rows", delete)


def test_rows_appended_while_they_are_deleted_are_found(batch, table, monkeypatch):
    appending(monkeypatch, [3, 500, 70])
    erased = batch.of(table).erase()
    assert erased.rows_matched == 3
    assert (erased.rows_before, erased.rows_appended, erased.rows_after) == (100, 1, 98)
    assert DeltaTable(table).count() == 99  # subject 500 came after the last deletion


def test_a_job_that_appends_them_for_ever_is_an_error(batch, table, monkeypatch):
    appending(monkeypatch, [3] * 50)
    with pytest.raises(ConflictError, match="again and again"):
        batch.of(table).erase()


def test_a_table_that_is_no_more_holds_up_nothing_and_the_certificate_says_so(world, caplog):
    batch = resolved(world, 50, 60)
    place = move_table(world)
    shutil.rmtree(world.folder / "train")
    world.run()
    assert not world.there(place) & {50, 60}
    assert "is no more, and no model is enrolled on it" in caplog.text
    certificate = world.certificate("X-50")
    outcomes = {t["table"]: t.get("outcome") for t in certificate["tables"]}
    assert outcomes == {world.table: "gone", place: None}
    page = batch_facts.batch_facts(world.services, batch)
    assert any(f"The table {world.table}" in aside for aside in page.asides)
    assert read_batch(world.services.journal, batch).is_closed
    assert world.replay() == ([], 0)


def test_a_table_that_models_need_is_only_away(world):
    batch = resolved(world, 50)
    (world.folder / "train").rename(world.folder / "elsewhere")
    with pytest.raises(DataError):
        world.process(batch)
    (world.folder / "elsewhere").rename(world.folder / "train")
    world.run()
    assert world.requests()["X-50"].status == "erased"


def test_a_disk_without_room_for_the_new_files_stops_a_batch_before_a_model_is_changed(
    world, monkeypatch
):
    world.submit("X", [50])
    (batch,) = open_batches.open_batches(world.services)
    before = world.champion()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
        with pytest.raises(DataError, match=r"0\.0 MB are free on its disk; make room"):
            world.process(batch)
    assert world.champion() == before
    assert 50 in world.there()
    world.process(batch)
    assert 50 not in world.there()


@pytest.mark.parametrize("is_late", [False, True])
def test_who_is_delivered_while_the_batch_is_at_work_is_erased_too(world, is_late):
    batch = resolved(world, 50, 900)
    world.unlearn(batch, "income")
    suppression_list.suppress(world.services, batch)
    rows_gone.erase_rows(world.services, batch, world.table)
    if is_late:
        files.purge_files(world.services, batch, world.table)
    write_deltalake(world.table, rows(1, first=900), mode="append")
    with pytest.raises(ConflictError, match="who had none"):
        resolution.close_search(world.services, batch)
    world.run()
    assert world.requests()["X-900"].status == "erased"
    assert not world.there() & {50, 900}
    first, second = world.certificate("X-50"), world.certificate("X-900")
    assert [t["rows_of_this_request"] for t in first["tables"]] == [1]
    assert [t["rows_of_this_request"] for t in second["tables"]] == [1]
    (table,) = second["tables"]
    assert table["rows_matched"] == 2
    assert table["rows_after"] == table["rows_before"] - 2 + table["rows_appended"]
    assert world.enrolled().dataset_version == DeltaTable(world.table).version()
    assert world.replay() == ([], 0)


@pytest.mark.parametrize("was_found", [True, False])
def test_rows_that_others_delete_first_are_purged_and_forgotten_all_the_same(world, was_found):
    world.submit("X", [50])
    (batch,) = open_batches.open_batches(world.services)
    if was_found:
        batches.validate(world.services, batch)
        resolution.resolve(world.services, batch)
        world.unlearn(batch, "income")
    DeltaTable(world.table).delete(f"subject_id = '{subject(50)}'")
    world.process(batch)

    certificate = world.certificate("X-50")
    assert (certificate["outcome"], certificate["models"][0]["forget_count"]) == ("erased", 1)
    (table,) = certificate["tables"]
    assert table["rows_matched"] == table["rows_of_this_request"] == 0
    assert table["rows_before"] == table["rows_after"] == ROWS - len(GONE) - 1
    assert table["files_left_over"] == table["hits"] == 0
    event = world.requests()["X-50"]
    assert "others had deleted the rows before" in event.facts.reason
    assert event.facts.subject in suppression_list.load(world.services).subjects
    assert (
        world.enrolled().dataset_version
        == delta.open_table(world.services.settings, world.table).version()
    )
    assert world.enrolled().row_count == ROWS - len(GONE) - 1
    assert deletion.leftover_files(world.services.settings, world.table) == 0


def test_a_table_that_cannot_be_erased_in_holds_up_only_who_has_rows_there(world):
    photos = enroll_photos(world)
    foreign = Path(photos.removeprefix("file://")) / "notes.txt"
    foreign.write_text("not ours")
    world.submit("S", [20])
    world.submit("P", [FIRST])
    (why,) = work_off(world)
    assert photos in why
    found = {name: event.status for name, event in world.requests().items() if name[0] != "R"}
    assert found == {"S-20": "erased", f"P-{FIRST}": "accepted"}
    foreign.unlink()
    assert work_off(world) == []
    assert world.certificate(f"P-{FIRST}")["outcome"] == "erased"
