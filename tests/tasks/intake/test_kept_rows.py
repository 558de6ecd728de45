import pytest
from sent_requests import submit, validated

from tasks.environment.settings import load_settings
from tasks.intake import inbox, kept_rows
from tasks.registry.services import Services
from unlearning.errors import DataError, SnapshotChangedError


@pytest.fixture
def file(services):
    submit(services, "person-9", 1, 2)
    batch = validated(services)
    (found,) = inbox.left_files(services, batch)
    return found


def test_a_record_tells_its_file_and_the_file_who_is_named(services, file):
    first, second = (record.record_id for record in kept_rows.records_of(services, file))
    assert kept_rows.file_of(first) == kept_rows.file_of(second) == file.file_id
    assert kept_rows.subject_ids(services, frozenset([second])) == {second: "person-2"}


def test_rows_that_are_open_are_found_when_the_file_is_gone_and_no_others(services, file):
    first, second = list(kept_rows.records_of(services, file))
    kept_rows.keep_open(services, file.file_id, {second.record_id: second.row.fields})
    kept_rows.forget_file(services, "b", file)
    services = Services.open(load_settings())  # as in the next process
    assert [r.row.fields for r in kept_rows.records_of(services, file)] == [second.row.fields]
    wanted = frozenset([second.record_id])
    assert kept_rows.subject_ids(services, wanted) == {second.record_id: "person-2"}
    with pytest.raises(DataError, match="no longer kept"):
        kept_rows.subject_ids(services, frozenset([first.record_id]))


def test_a_file_that_is_forgotten_has_no_name_and_still_belongs_to_its_batch(any_services):
    submit(any_services, "person-9", 1)
    batch = validated(any_services)
    (file,) = inbox.left_files(any_services, batch)
    kept_rows.forget_file(any_services, batch, file)
    (claim,) = any_services.store.list_objects(kept_rows.CLAIMS)
    assert b"person-9" not in any_services.store.get(claim.key)
    assert any_services.store.count_noncurrent(kept_rows.CLAIMS) == 0
    assert kept_rows.claimant(any_services, file.file_id) == batch
    assert not any(any_services.store.list_objects(kept_rows.FILES))


def test_open_rows_can_be_less_and_none(services):
    kept_rows.keep_open(services, "f", {"f-1": {"a": 1}, "f-2": {"a": 2}})
    kept_rows.keep_open(services, "f", {"f-2": {"a": 2}})
    assert kept_rows.open_rows(services, "f") == {"f-2": {"a": 2}}
    assert kept_rows.files_with_open_rows(services) == ["f"]
    kept_rows.keep_open(services, "f", {})
    assert kept_rows.files_with_open_rows(services) == []


def test_a_kept_copy_that_somebody_changed_is_not_read(services, file):
    services.store.put(f"{kept_rows.FILES}{file.file_id}", b"{}")
    with pytest.raises(SnapshotChangedError, match=r"restore requests/files/"):
        list(kept_rows.records_of(services, file))
