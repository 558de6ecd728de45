"""Rows of a batch are looked for in every table there is, and only where that is new."""

import json

import pytest
from deltalake import DeltaTable, write_deltalake
from tables import rows, subject, write_tables
from torch import nn

from tasks.datasets.spec import DatasetSpec
from tasks.erasure import erasable
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, record_enrollment
from tasks.store import journal
from tasks.subjects import open_batches, resolution, suppression_list
from tasks.tables import delta
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import ConflictError, DataError
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions


class World:
    """Tables with an enrolled model, and a batch of requests for subjects 3 and 900."""

    def __init__(self, store, folder, monkeypatch):
        self.store, self.folder, self.searched = store, folder, []
        self.train, self.holdout = (f"file://{p}" for p in write_tables(folder, train=9, holdout=9))
        self.enroll("income", self.train)
        lines = [
            {
                "request_id": f"R-{n}",
                "subject_id": subject(n),
                "received_at": "2026-01-02T03:04:05Z",
            }
            for n in (3, 900)
        ]
        store.put("requests/incoming/r.jsonl", "\n".join(map(json.dumps, lines)).encode())
        (self.batch,) = open_batches.open_batches(store)
        batches.validate(store, self.batch)
        real = resolution.count_by_subject

        def count(table, *rest):
            self.searched.append(table.table_uri.rstrip("/").rpartition("/")[2])
            return real(table, *rest)

        monkeypatch.setattr(resolution, "count_by_subject", count)

    def enroll(self, model, table, version=0):
        enrollment = Enrollment(
            model=model,
            version=1,
            digest=model_digest(nn.Linear(40, 2).state_dict()),
            dataset=DatasetSpec(table, ("features",), "label", "subject_id"),
            dataset_version=version,
            row_count=9,
            holdout=self.holdout,
            unlearning=UnlearningConfig(),
            policy=GatePolicy(),
            deletions=Deletions(trained_rows=9),
        )
        record_enrollment(self.store, enrollment)

    def enroll_photos(self):
        place = f"file://{self.folder}/photos"
        write_deltalake(place, rows(9, first=895))
        self.enroll("photos", place)

    def resolve(self):
        """Counts, and the tables that were searched for them."""
        self.searched.clear()
        return resolution.resolve(self.store, self.batch), list(self.searched)

    def located(self):
        """Names of the tables that hold rows of a request, by request."""
        records = {d.record_id: d.request_id for d in batches.dispositions(self.store, self.batch)}
        found = resolution.matches(self.store, self.batch)
        return {(records[r], m.uri.rpartition("/")[2]) for m in found for r in m.rows}


@pytest.fixture
def world(store, tmp_path, monkeypatch):
    return World(store, tmp_path, monkeypatch)


def test_what_was_searched_is_not_searched_again(world):
    first = {"tables": 2, "rows": 1, "located": 1, "not_found": 1}
    assert world.resolve() == (first, ["holdout", "train"])
    before = list(world.store.list_objects(""))
    assert world.resolve() == (first, [])
    assert list(world.store.list_objects("")) == before


def test_a_table_that_changed_since_is_searched_again(world):
    world.resolve()
    write_deltalake(world.train, rows(1, first=900), mode="append")
    counts, searched = world.resolve()
    assert set(searched) == {"train"}  # and the model's snapshot of it
    assert (counts["located"], counts["not_found"]) == (2, 0)
    assert world.located() == {("R-3", "train"), ("R-900", "train")}
    versions = {m.uri: m.version for m in resolution.matches(world.store, world.batch)}
    assert versions == {world.train: 1, world.holdout: 0}


def test_who_was_found_once_stays_found_when_others_delete_the_rows(world):
    world.resolve()
    write_deltalake(world.train, rows(1, first=900), mode="overwrite")
    counts, _ = world.resolve()
    assert (counts["located"], counts["rows"]) == (2, 1)
    assert world.located() == {("R-3", "train"), ("R-900", "train")}


def test_who_is_only_in_the_snapshot_of_a_model_is_found(world):
    DeltaTable(world.train).delete(f"subject_id = '{subject(3)}'")
    assert world.resolve()[0] == {"tables": 2, "rows": 0, "located": 1, "not_found": 1}
    assert world.located() == {("R-3", "train")}


def test_a_snapshot_whose_files_are_gone_is_not_searched(world):
    DeltaTable(world.train).delete(f"subject_id = '{subject(3)}'")
    delta.vacuum(world.train)
    assert world.resolve()[0]["located"] == 0


def test_a_table_of_a_model_that_was_enrolled_since_is_searched(world):
    world.resolve()
    world.enroll_photos()
    counts, searched = world.resolve()
    assert searched == ["photos"]
    assert counts["tables"] == 3
    assert world.located() == {("R-3", "train"), ("R-900", "photos")}


def test_an_older_version_that_a_model_was_enrolled_on_since_is_searched(world):
    write_deltalake(world.train, rows(1, first=900), mode="append")
    DeltaTable(world.train).delete(f"subject_id = '{subject(900)}'")
    assert world.resolve()[0]["not_found"] == 1
    world.enroll("late", world.train, version=1)
    with pytest.raises(ConflictError, match="run again"):
        resolution.close_search(world.store, world.batch)
    assert world.resolve()[0]["not_found"] == 0
    assert world.resolve()[1] == []
    resolution.close_search(world.store, world.batch)


def test_an_older_version_found_late_is_searched_for_who_is_known_elsewhere_too(world):
    world.enroll_photos()
    write_deltalake(world.train, rows(1, first=900), mode="append")
    DeltaTable(world.train).delete(f"subject_id = '{subject(900)}'")
    world.resolve()
    suppression_list.suppress(world.store, world.batch)
    assert ("R-900", "train") not in world.located()
    world.enroll("late", world.train, version=1)
    world.resolve()
    assert ("R-900", "train") in world.located()
    (train,) = (m for m in resolution.matches(world.store, world.batch) if m.uri == world.train)
    assert sorted(train.rows.values()) == [0, 1]


def test_once_rows_may_be_deleted_only_who_has_none_is_looked_for(world):
    world.resolve()
    suppression_list.suppress(world.store, world.batch)
    write_deltalake(world.train, rows(1, first=900), mode="overwrite")
    world.enroll_photos()
    assert set(world.resolve()[1]) == {"photos", "train"}
    assert world.located() == {("R-3", "train"), ("R-900", "train"), ("R-900", "photos")}
    (train,) = (m for m in resolution.matches(world.store, world.batch) if m.uri == world.train)
    assert list(train.rows.values()) == [1, 1]  # that of R-3 may be deleted by the batch itself
    write_deltalake(world.train, rows(2, first=900), mode="append")
    assert world.resolve()[1] == []


def test_who_is_found_in_a_table_that_is_new_by_then_is_put_on_the_suppression_list(world):
    world.resolve()
    assert suppression_list.suppress(world.store, world.batch) == 1
    assert suppression_list.put_on_found(world.store, world.batch) == 0
    before = suppression_list.load(world.store)
    world.enroll_photos()
    world.resolve()
    for found in (1, 0):
        assert suppression_list.put_on_found(world.store, world.batch) == found
    after = suppression_list.load(world.store)
    (listed,) = after.by_batch.values()
    assert sorted(listed.values()) == ["R-3", "R-900"]
    assert after.digest != before.digest
    assert suppression_list.last_version_with(world.store, f"file://{world.folder}/photos") == 0


def test_nothing_is_erased_or_certified_before_every_table_was_searched(world):
    world.resolve()
    world.enroll_photos()
    with pytest.raises(ConflictError, match=r"enrolled on .*photos while"):
        erasable.refuse_unasked(world.store, world.batch)
    with pytest.raises(ConflictError, match=r"enrolled on .*photos while"):
        resolution.close_search(world.store, world.batch)
    world.resolve()
    resolution.close_search(world.store, world.batch)


def test_a_search_that_is_over_stays_as_it_is(world):
    world.resolve()
    suppression_list.suppress(world.store, world.batch)
    resolution.close_search(world.store, world.batch)
    world.enroll_photos()
    before = world.located()
    assert world.resolve()[1] == []
    assert world.located() == before
    resolution.close_search(world.store, world.batch)
    events = [e.name for e in journal.read(world.store, batches.stream(world.batch))]
    assert events.count("RowsResolved") == events.count("SearchClosed") == 1


def test_without_a_model_there_is_nothing_to_look_in(store):
    with pytest.raises(DataError, match="No model is enrolled"):
        resolution.resolve(store, "b")
