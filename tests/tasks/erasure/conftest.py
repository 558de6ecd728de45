"""A batch with rows in one table, without requests and without a model."""

import json
from types import SimpleNamespace

import pytest
from deltalake import write_deltalake
from factories import enrollment, frozen, happen, validated
from object_world import photo_spec, with_photos
from small_tables import rows, subject

from tasks.environment.settings import load_settings
from tasks.erasure import batch_rows
from tasks.erasure.addresses import refuse_undeletable_objects
from tasks.erasure.files import purge_files
from tasks.erasure.objects import erase_objects
from tasks.erasure.rows import erase_rows
from tasks.intake import batches
from tasks.journal.reading import read_batch, record_enrollment
from tasks.registry.services import Services
from tasks.store.opening import open_store
from unlearning.policy.subject_kinds import SubjectColumn

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


class PointingBatch:
    """A batch of two subjects whose rows point to objects; no model was trained."""

    def __init__(self, batch, uri, prefix):
        self.batch, self.services, self.uri, self.prefix = batch, batch.services, uri, prefix
        write_deltalake(uri, with_photos(rows(80, seed=1), prefix, 0))
        write_deltalake(f"{uri}-holdout", with_photos(rows(1, seed=2), prefix, 80))
        known = enrollment(dataset=photo_spec(uri, prefix), holdout=f"{uri}-holdout")
        record_enrollment(self.services.journal, known)
        batch.of(uri)

    @property
    def objects(self):
        return open_store(self.prefix, self.services.settings)

    def erase(self):
        """The rows, then what they pointed to; what was done, round by round."""
        self.batch.erase()
        erase_objects(self.services, self.batch.name)
        return read_batch(self.services.journal, self.batch.name).objects

    def check(self):
        """What is looked at while no model was changed."""
        but = {str(self.uri): ("subject_id", GONE)}
        who = SubjectColumn("subject_id")
        return refuse_undeletable_objects(self.services, self.uri, who, GONE, but)

    def point(self, number, address):
        """One row more of a subject, that points to this address."""
        row = rows(1, first=number, seed=9).drop_columns("features")
        write_deltalake(self.uri, row.append_column("photo", [[address]]), mode="append")

    def there(self):
        return {info.key for info in self.objects.list_objects("")}


@pytest.fixture
def pointing(batch, tmp_path):
    return PointingBatch(batch, (tmp_path / "t").as_uri(), (tmp_path / "photos").as_uri())


@pytest.fixture
def unasked(services, tmp_path):
    """Rows that point to objects, and nobody who asked for anything."""
    nobody = SimpleNamespace(services=services, of=lambda _: None)
    return PointingBatch(nobody, (tmp_path / "t").as_uri(), (tmp_path / "photos").as_uri())


@pytest.fixture
def pointing_to_bucket(batch, tmp_path, s3_bucket):
    batch.services = Services.open(load_settings())
    return PointingBatch(batch, (tmp_path / "t").as_uri(), f"s3://{s3_bucket}/people/photos")


@pytest.fixture
def batch(services, monkeypatch):
    return HandMadeBatch(services, monkeypatch)


@pytest.fixture
def table(tmp_path) -> str:
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(60, seed=1))  # statistics on every column, ids included
    write_deltalake(place, rows(40, first=60, seed=2), mode="append")
    return place
