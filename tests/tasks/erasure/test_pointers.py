"""An object is deleted only if it is shown, right then, that no row of anybody points to it."""

import shutil

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from factories import enrollment
from object_world import key_of, photo_spec
from small_tables import rows, subject

from tasks.enrolling.objects import refuse_unfit_place
from tasks.erasure import objects
from tasks.erasure.objects import erase_objects
from tasks.erasure.pointers import shared, versions_of
from tasks.journal.reading import record_enrollment
from tasks.store.files import FileStore
from tasks.subjects.tied_tables import close_table
from tasks.tables.object_places import ObjectPlace
from unlearning.errors import DataError

GONE = [subject(3), subject(70)]


def moved(pointing, tmp_path):
    """The model on other tables; the one before is known by its former enrolment alone."""
    for name in ("new", "new-h"):
        shutil.copytree(tmp_path / "t-holdout", tmp_path / name)
    spec = photo_spec((tmp_path / "new").as_uri(), pointing.prefix)
    now = enrollment(dataset=spec, holdout=(tmp_path / "new-h").as_uri(), version=2, digest="d2")
    record_enrollment(pointing.services.journal, now)


@pytest.mark.parametrize(
    "spelled", ["./both.png", "{0}//both.png", "https://lake/both.png", "FILE://{1}/both.png"]
)
def test_an_address_of_somebody_else_that_nobody_can_read_stops_a_batch(
    pointing, tmp_path, spelled
):
    pointing.objects.put("both.png", b"x")
    pointing.point(3, "both.png")
    pointing.point(900, spelled.format(pointing.prefix, tmp_path / "photos"))
    before = DeltaTable(pointing.uri).count()
    with pytest.raises(DataError, match=r"1 rows of .* not below"):
        pointing.erase()
    assert DeltaTable(pointing.uri).count() == before
    assert {"both.png", key_of(3)} < pointing.there()


def test_one_that_comes_after_the_rows_went_stops_the_deletion_of_objects(pointing):
    pointing.batch.erase()
    pointing.point(900, f"{pointing.prefix}//{key_of(3)}")
    with pytest.raises(DataError, match=r"1 rows of .* not below"):
        erase_objects(pointing.services, "b")
    assert {key_of(3), key_of(70)} < pointing.there()
    DeltaTable(pointing.uri).delete(f"subject_id = '{subject(900)}'")
    erase_objects(pointing.services, "b")
    assert not {key_of(3), key_of(70)} & pointing.there()


def test_rows_of_a_table_that_was_closed_keep_their_objects_while_it_is_there(pointing, tmp_path):
    pointing.objects.put("both.png", b"x")
    pointing.point(3, "both.png")
    pointing.point(900, "both.png")
    pointing.batch.erase()
    moved(pointing, tmp_path)
    close_table(pointing.services, pointing.uri, name="Ada", reason="moved")
    erase_objects(pointing.services, "b")
    assert "both.png" in pointing.there()
    assert key_of(3) not in pointing.there()


def test_an_address_counts_for_all_that_it_may_mean(pointing):
    pointing.point(900, "of%20two.png?versionId=1")
    place = ObjectPlace(pointing.services.settings, pointing.prefix)
    keys = {"of two.png", "of%20two.png", "of one.png"}
    assert shared(pointing.services, place, keys) == keys - {"of one.png"}


def test_rows_below_a_link_point_to_the_same_objects_and_nothing_is_deleted_through_it(
    pointing, tmp_path
):
    (tmp_path / "photos-2").symlink_to(tmp_path / "photos")
    linked = f"{pointing.prefix}-2"
    for name in ("other", "other-h"):
        shutil.copytree(tmp_path / "t-holdout", tmp_path / name)
        row = rows(1, first=900, seed=9).drop_columns("features")
        write_deltalake(
            tmp_path / name, row.append_column("photo", [[key_of(3)]]), mode="overwrite"
        )
    spec = photo_spec((tmp_path / "other").as_uri(), linked)
    known = enrollment(model="other", dataset=spec, holdout=(tmp_path / "other-h").as_uri())
    record_enrollment(pointing.services.journal, known)
    place = ObjectPlace(pointing.services.settings, pointing.prefix)
    assert shared(pointing.services, place, {key_of(3)}, {pointing.uri: ("subject_id", GONE)})
    with pytest.raises(DataError, match="link"):
        refuse_unfit_place(pointing.services, ObjectPlace(pointing.services.settings, linked))


def test_a_column_that_holds_no_texts_any_more_stops_a_batch(pointing):
    table = DeltaTable(pointing.uri).to_pyarrow_table()
    where, photos = table.column_names.index("photo"), table["photo"].cast(pa.binary())
    changed = table.set_column(where, "photo", photos)
    write_deltalake(pointing.uri, changed, mode="overwrite", schema_mode="overwrite")
    with pytest.raises(DataError, match=r"rows of .* not below"):
        pointing.erase()


def test_rows_that_the_batch_deletes_are_not_those_of_others(pointing):
    pointing.point(900, key_of(70))
    place = ObjectPlace(pointing.services.settings, pointing.prefix)
    but = {pointing.uri: ("subject_id", [subject(3), subject(70)])}
    assert shared(pointing.services, place, {key_of(3), key_of(70)}, but) == {key_of(70)}


def test_a_table_written_among_the_objects_stops_a_batch(pointing, tmp_path):
    write_deltalake(tmp_path / "photos" / "later", rows(2))
    with pytest.raises(DataError, match="lies a Delta table"):
        pointing.erase()
    assert DeltaTable(pointing.uri).count() == 80
    shutil.rmtree(tmp_path / "photos" / "later")
    pointing.batch.erase()
    write_deltalake(tmp_path / "photos" / "later", rows(2))
    with pytest.raises(DataError, match="lies a Delta table"):
        erase_objects(pointing.services, "b")
    assert key_of(3) in pointing.there()


def test_a_table_that_lost_its_column_stops_a_batch_while_it_has_its_rows(pointing, tmp_path):
    for name in ("other", "other-h"):
        shutil.copytree(tmp_path / "t-holdout", tmp_path / name)
    spec = photo_spec((tmp_path / "other").as_uri(), pointing.prefix)
    known = enrollment(model="other", dataset=spec, holdout=(tmp_path / "other-h").as_uri())
    record_enrollment(pointing.services.journal, known)
    assert set(versions_of(pointing.services)) > {spec.uri, pointing.uri}
    bare = DeltaTable(spec.uri).to_pyarrow_table().drop_columns("photo")
    write_deltalake(spec.uri, bare, mode="overwrite", schema_mode="overwrite")
    with pytest.raises(DataError, match="has no column 'photo' any more"):
        pointing.erase()
    assert DeltaTable(pointing.uri).count() == 80


def test_a_row_that_is_written_between_two_deletions_keeps_its_object(pointing, monkeypatch):
    pointing.batch.erase()
    real = FileStore.delete

    def delete(store, key):
        real(store, key)
        if key == key_of(3):
            pointing.point(900, key_of(70))

    monkeypatch.setattr(objects, "_AT_A_TIME", 1)
    monkeypatch.setattr(FileStore, "delete", delete)
    erase_objects(pointing.services, "b")
    assert key_of(70) in pointing.there()
    assert key_of(3) not in pointing.there()
