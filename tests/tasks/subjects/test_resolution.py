"""Rows of a batch are looked for in every table there is, and only where that is new."""

import json
from dataclasses import replace

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from erased_world import TRAINING
from factories import dataset, enrollment
from small_tables import rows, subject, write_tables

from tasks.enrolling import enroll, train
from tasks.erasure import guards
from tasks.intake import batches
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import record_enrollment
from tasks.subjects import open_batches, resolution, suppression_list
from tasks.subjects.matches import matches
from tasks.tables import deletion
from tasks.tables.delta import keep_ids_out_of_log, open_table
from unlearning.errors import ConflictError, DataError

# MLflow and torch warn of their own type hints and formats.
pytestmark = pytest.mark.filterwarnings("ignore")


class Searched:
    """Tables with an enrolled model, and a batch of requests for subjects 3 and 900."""

    def __init__(self, services, folder, monkeypatch):
        self.services, self.store = services, services.store
        self.folder, self.searched = folder, []
        self.train, self.holdout = (f"file://{p}" for p in write_tables(folder, train=9, holdout=9))
        keep_ids_out_of_log(open_table(services.settings, self.train), "subject_id")
        self.enroll("income", self.train, version=1)
        lines = [
            {
                "request_id": f"R-{n}",
                "subject_id": subject(n),
                "received_at": "2026-01-02T03:04:05Z",
            }
            for n in (3, 900)
        ]
        services.store.put("requests/incoming/r.jsonl", "\n".join(map(json.dumps, lines)).encode())
        (self.batch,) = open_batches.open_batches(services)
        batches.validate(services, self.batch)
        real = resolution.count_by_subject

        def count(table, *rest):
            self.searched.append(table.table_uri.rstrip("/").rpartition("/")[2])
            return real(table, *rest)

        monkeypatch.setattr(resolution, "count_by_subject", count)

    def enroll(self, model, table, version=0):
        known = enrollment(
            model=model,
            dataset=dataset(uri=table),
            dataset_version=version,
            row_count=9,
            holdout=self.holdout,
        )
        record_enrollment(self.services.journal, known)

    def drop(self, number):
        """Others write the table anew without a subject, whom they do not name."""
        kept = DeltaTable(self.train).to_pyarrow_table()
        kept = kept.filter(pc.field("subject_id") != subject(number))
        write_deltalake(self.train, kept, mode="overwrite")

    def enroll_photos(self):
        place = f"file://{self.folder}/photos"
        write_deltalake(place, rows(9, first=895))
        self.enroll("photos", place)

    def resolve(self):
        """Counts, and the tables that were searched for them."""
        self.searched.clear()
        return resolution.resolve(self.services, self.batch), list(self.searched)

    def located(self):
        """Names of the tables that hold rows of a request, by request."""
        records = {
            d.record_id: d.request_id for d in batches.dispositions(self.services, self.batch)
        }
        found = matches(self.services, self.batch)
        return {(records[r], m.uri.rpartition("/")[2]) for m in found for r in m.rows}


@pytest.fixture
def searched(services, tmp_path, monkeypatch):
    return Searched(services, tmp_path, monkeypatch)


def test_what_was_searched_is_not_searched_again(searched):
    first = {"tables": 2, "rows": 1, "located": 1, "not_found": 1}
    assert searched.resolve() == (first, ["holdout", "train"])
    before = list(searched.services.store.list_objects(""))
    assert searched.resolve() == (first, [])
    assert list(searched.services.store.list_objects("")) == before


def test_a_table_that_changed_since_is_searched_again(searched):
    searched.resolve()
    write_deltalake(searched.train, rows(1, first=900), mode="append")
    counts, tables = searched.resolve()
    assert set(tables) == {"train"}  # and the model's snapshot of it
    assert (counts["located"], counts["not_found"]) == (2, 0)
    assert searched.located() == {("R-3", "train"), ("R-900", "train")}
    versions = {m.uri: m.version for m in matches(searched.services, searched.batch)}
    assert versions == {searched.train: 2, searched.holdout: 0}


def test_who_was_found_once_stays_found_when_others_delete_the_rows(searched):
    searched.resolve()
    write_deltalake(searched.train, rows(1, first=900), mode="overwrite")
    counts, _ = searched.resolve()
    assert (counts["located"], counts["rows"]) == (2, 1)
    assert searched.located() == {("R-3", "train"), ("R-900", "train")}


def test_who_is_only_in_the_snapshot_of_a_model_is_found(searched):
    DeltaTable(searched.train).delete(f"subject_id = '{subject(3)}'")
    assert searched.resolve()[0] == {"tables": 2, "rows": 0, "located": 1, "not_found": 1}
    assert searched.located() == {("R-3", "train")}


def test_a_snapshot_whose_files_are_gone_is_not_searched(searched):
    searched.drop(3)
    deletion.vacuum(searched.services.settings, searched.train)
    assert searched.resolve()[0]["located"] == 0


def test_who_is_named_in_the_log_alone_is_found(searched):
    DeltaTable(searched.train).delete(f"subject_id = '{subject(3)}'")
    deletion.vacuum(searched.services.settings, searched.train)
    assert searched.resolve()[0] == {"tables": 2, "rows": 0, "located": 1, "not_found": 1}
    assert searched.located() == {("R-3", "train")}


def test_a_table_of_a_model_that_was_enrolled_since_is_searched(searched):
    searched.resolve()
    searched.enroll_photos()
    counts, tables = searched.resolve()
    assert tables == ["photos"]
    assert counts["tables"] == 3
    assert searched.located() == {("R-3", "train"), ("R-900", "photos")}


def test_an_older_version_that_a_model_was_enrolled_on_since_is_searched(searched):
    write_deltalake(searched.train, rows(1, first=900), mode="append")
    searched.drop(900)
    assert searched.resolve()[0]["not_found"] == 1
    searched.enroll("late", searched.train, version=2)
    with pytest.raises(ConflictError, match="run again"):
        resolution.close_search(searched.services, searched.batch)
    assert searched.resolve()[0]["not_found"] == 0
    assert searched.resolve()[1] == []
    resolution.close_search(searched.services, searched.batch)


def test_an_older_version_found_late_is_searched_for_who_is_known_elsewhere_too(searched):
    searched.enroll_photos()
    write_deltalake(searched.train, rows(1, first=900), mode="append")
    searched.drop(900)
    searched.resolve()
    suppression_list.suppress(searched.services, searched.batch)
    assert ("R-900", "train") not in searched.located()
    searched.enroll("late", searched.train, version=2)
    searched.resolve()
    assert ("R-900", "train") in searched.located()
    (train,) = (m for m in matches(searched.services, searched.batch) if m.uri == searched.train)
    assert sorted(train.rows.values()) == [0, 1]


def test_once_rows_may_be_deleted_only_who_has_none_there_is_looked_for(searched):
    searched.resolve()
    suppression_list.suppress(searched.services, searched.batch)
    write_deltalake(searched.train, rows(1, first=900), mode="overwrite")
    searched.enroll_photos()
    assert set(searched.resolve()[1]) == {"photos", "train"}
    assert searched.located() == {("R-3", "train"), ("R-900", "train"), ("R-900", "photos")}
    (train,) = (m for m in matches(searched.services, searched.batch) if m.uri == searched.train)
    assert list(train.rows.values()) == [1, 1]  # that of R-3 may be deleted by the batch itself
    write_deltalake(searched.train, rows(2, first=900), mode="append")
    assert searched.resolve()[1] == ["train"]
    (train,) = (m for m in matches(searched.services, searched.batch) if m.uri == searched.train)
    assert list(train.rows.values()) == [1, 1]


def test_a_row_that_comes_while_a_batch_erases_is_found_of_who_has_rows_elsewhere_too(searched):
    searched.enroll_photos()
    searched.resolve()
    suppression_list.suppress(searched.services, searched.batch)
    assert searched.located() == {("R-3", "train"), ("R-900", "photos")}
    write_deltalake(searched.train, rows(1, first=900), mode="append")
    searched.resolve()
    assert ("R-900", "train") in searched.located()


def test_who_is_found_in_a_table_that_is_new_by_then_is_put_on_the_suppression_list(searched):
    searched.resolve()
    assert suppression_list.suppress(searched.services, searched.batch) == 1
    assert suppression_list.suppress_found_later(searched.services, searched.batch) == 0
    before = suppression_list.load(searched.services)
    searched.enroll_photos()
    searched.resolve()
    for found in (1, 0):
        assert suppression_list.suppress_found_later(searched.services, searched.batch) == found
    after = suppression_list.load(searched.services)
    (listed,) = after.by_batch.values()
    assert sorted(listed.values()) == ["R-3", "R-900"]
    assert after.digest != before.digest
    erased = suppression_list.last_erasure(searched.services, f"file://{searched.folder}/photos")
    assert erased is not None
    assert erased[1] == 0


def test_nothing_is_erased_or_certified_before_every_table_was_searched(searched):
    searched.resolve()
    searched.enroll_photos()
    with pytest.raises(ConflictError, match=r"enrolled on .*photos, or"):
        guards.refuse_unforgotten(searched.services, searched.batch)
    with pytest.raises(ConflictError, match=r"enrolled on .*photos, or"):
        resolution.close_search(searched.services, searched.batch)
    searched.resolve()
    resolution.close_search(searched.services, searched.batch)


def test_a_search_that_is_over_stays_as_it_is(searched):
    searched.resolve()
    suppression_list.suppress(searched.services, searched.batch)
    resolution.close_search(searched.services, searched.batch)
    searched.enroll_photos()
    before = searched.located()
    assert searched.resolve()[1] == []
    assert searched.located() == before
    resolution.close_search(searched.services, searched.batch)
    events = [e.name for e in searched.services.journal.read(batch_stream(searched.batch))]
    assert events.count("RowsResolved") == events.count("SearchClosed") == 1


def test_without_a_model_there_is_nothing_to_look_in(services):
    with pytest.raises(DataError, match="No model is enrolled"):
        resolution.resolve(services, "b")


def test_a_table_of_a_model_that_was_enrolled_while_a_batch_waited_is_erased_too(world):
    world.submit("r", [900])
    (batch,) = open_batches.open_batches(world.services)
    batches.validate(world.services, batch)
    resolution.resolve(world.services, batch)  # then somebody must approve it
    place = f"file://{world.folder}/photos"
    write_deltalake(place, rows(200, first=750, seed=5))
    source = world.source(model="photos", dataset=replace(world.source().dataset, uri=place))
    version = train.train_version(world.services, source, (8,), TRAINING)
    enroll.enroll_version(world.services, source, version, trust_pickle=False)
    world.process(batch)
    assert 900 not in world.there(place)
    assert world.requests()["r-900"].status == "erased"
    assert world.certificate("r-900")["tables"][0]["table"] == place
    assert world.services.registry.alias_version("photos") == 2
    (pseudonym,) = batches.pseudonyms(world.services, [subject(900)], "person").values()
    assert pseudonym in suppression_list.load(world.services).subjects
