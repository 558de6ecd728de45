"""A batch with rows in one table, without requests and without a model."""

import json

import pytest
from deltalake import write_deltalake
from factories import frozen, happen, validated
from small_tables import rows, subject

from tasks.erasure import batch_rows
from tasks.erasure.files import purge_files
from tasks.erasure.rows import erase_rows
from tasks.intake import batches

GONE = [subject(3), subject(70)]


class HandMadeBatch:
    """A validated batch whose subjects have rows in one table."""

    def __init__(self, services, monkeypatch):
        self.services, self.store, self.patch = services, services.store, monkeypatch
        happen(services.journal, "b", frozen=frozen(), validated=validated())
        services.store.put("batches/b/dispositions.json", b"[]")

    def of(self, uri, column="subject_id", gone=GONE, name="b"):
        match = {"uri": uri, "column": column, "version": 0, "row_count": 0, "rows": {}}
        self.store.put(f"batches/{name}/dispositions.json", b"[]")
        self.store.put(f"batches/{name}/matches.json", json.dumps([match]).encode())
        for place, asked in ((batch_rows, "located_subjects"), (batches, "subjects")):
            self.patch.setattr(place, asked, lambda *_: sorted(gone))
        self.uri, self.name = uri, name
        return self

    def erase(self):
        return erase_rows(self.services, self.name, self.uri)

    def purge(self):
        return purge_files(self.services, self.name, self.uri)


@pytest.fixture
def batch(services, monkeypatch):
    return HandMadeBatch(services, monkeypatch)


@pytest.fixture
def table(tmp_path) -> str:
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(60, seed=1))  # statistics on every column, ids included
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place
