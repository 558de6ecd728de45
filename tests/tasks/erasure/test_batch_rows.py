"""The rows of a batch's subjects in one table, looked for and deleted until none is left."""

import json
from dataclasses import asdict

import pytest
from deltalake import DeltaTable, write_deltalake
from factories import happen
from small_tables import rows, subject

from tasks.erasure import batch_rows
from tasks.erasure.batch_rows import BatchRows, table_history
from tasks.journal.events.batches import ErasureIntended
from tasks.store import lease
from unlearning.errors import ConflictError


def test_rows_are_there_until_they_are_deleted_and_those_of_others_stay(batch, table):
    found = BatchRows(batch.of(table).services, "b", table)
    assert (found.column, found.are_there()) == ("subject_id", True)
    found.delete()
    assert not found.are_there()
    assert DeltaTable(table).count() == 98


def test_a_version_without_rows_is_not_read_again(batch, table, monkeypatch):
    found = BatchRows(batch.of(table, gone=[subject(500)]).services, "b", table)
    assert not found.are_there()
    with monkeypatch.context() as patch:
        patch.setattr(batch_rows, "has_rows", lambda *_: pytest.fail("read again"))
        assert not found.are_there()
    write_deltalake(table, rows(1, first=500), mode="append")
    assert found.are_there()


def test_a_run_that_was_replaced_deletes_nothing_in_its_next_pass(batch, table):
    services = batch.of(table).services
    found = BatchRows(services, "b", table)
    other = json.dumps(asdict(lease.this_process())).encode()
    services.store.put("lease/000099.json", other)
    try:
        with pytest.raises(ConflictError, match="is at work on"):
            found.delete()
    finally:
        services.store.delete("lease/000099.json")
    assert found.are_there()


def test_who_writes_between_digests_and_deletion_only_has_it_done_again(batch, table, monkeypatch):
    found, keep, written = (
        BatchRows(batch.of(table).services, "b", table),
        batch_rows.keep_erased,
        [],
    )

    def keep_and_append(*given):
        keep(*given)
        if len(written) < 2:
            written.append(900 + len(written))
            write_deltalake(table, rows(1, first=written[-1]), mode="append")

    monkeypatch.setattr(batch_rows, "keep_erased", keep_and_append)
    found.delete()
    assert not found.are_there()
    assert DeltaTable(table).count() == 100


def test_a_hold_that_protects_a_row_stops_the_deletion_before_it(batch, table, monkeypatch):
    def refuse(*_):
        raise ConflictError("A legal hold was placed.")

    found = BatchRows(batch.of(table).services, "b", table)
    monkeypatch.setattr(batch_rows.late_holds, "refuse_held", refuse)
    with pytest.raises(ConflictError, match="legal hold"):
        found.delete()
    assert DeltaTable(table).count() == 100


def test_a_table_that_the_batch_did_nothing_to_has_an_empty_history(batch):
    assert not table_history(batch.services, "b", "file:///t").is_begun
    intended = ErasureIntended(table="file:///t", version_before=1, rows_before=9)
    happen(batch.services.journal, "b", intended=intended)
    assert table_history(batch.services, "b", "file:///t").is_begun
    assert not table_history(batch.services, "b", "file:///other").is_begun
