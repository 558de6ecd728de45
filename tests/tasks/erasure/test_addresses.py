"""What rows point to is written down before they are deleted, and looked at before that."""

import shutil
from dataclasses import replace

import pytest
from deltalake import DeltaTable, write_deltalake
from factories import enrollment
from object_world import key_of, photo_spec
from small_tables import subject

from tasks.erasure.addresses import note_addresses, pending
from tasks.journal.reading import record_enrollment
from tasks.tables.delta import open_table
from unlearning.errors import DataError


def note(pointing, numbers):
    table = open_table(pointing.services.settings, pointing.uri)
    who = [subject(n) for n in numbers]
    note_addresses(pointing.services, "b", table, pointing.uri, "subject_id", who)
    return [set(one.keys) for one in pending(pointing.services, "b")]


def test_what_is_noted_is_noted_once_and_more_is_noted_beside_it(pointing):
    assert note(pointing, [3, 70]) == [{key_of(3), key_of(70)}]
    assert note(pointing, [3, 5]) == [{key_of(3), key_of(70)}, {key_of(5)}]


def test_what_the_rows_pointed_to_when_a_model_learned_them_is_noted_too(pointing):
    before = DeltaTable(pointing.uri).to_pyarrow_table()
    moved = ["new.png" if one == key_of(3) else one for one in before["photo"].to_pylist()]
    place = before.column_names.index("photo")
    write_deltalake(pointing.uri, before.set_column(place, "photo", [moved]), mode="overwrite")
    assert note(pointing, [3]) == [{key_of(3), "new.png"}]


def test_a_table_whose_models_declare_no_objects_any_more_has_none(pointing):
    spec = replace(photo_spec(pointing.uri, pointing.prefix), objects=())
    changed = enrollment(dataset=spec, holdout=f"{pointing.uri}-holdout")
    record_enrollment(pointing.services.journal, changed)
    assert note(pointing, [3, 70]) == []


def test_objects_of_rows_that_others_deleted_first_go_too(pointing):
    DeltaTable(pointing.uri).delete(f"subject_id = '{subject(3)}'")
    (done,) = pointing.erase()
    assert done.erased == 2
    assert not pointing.there() & {key_of(3), key_of(70)}


def test_a_table_that_is_away_may_point_to_the_objects_so_nothing_is_deleted(pointing, tmp_path):
    other = (tmp_path / "other").as_uri()
    spec = photo_spec(other, pointing.prefix)
    known = enrollment(model="other", dataset=spec, holdout=f"{pointing.uri}-holdout")
    record_enrollment(pointing.services.journal, known)
    with pytest.raises(DataError, match="is no more, and its rows may point to objects"):
        pointing.erase()
    assert key_of(3) in pointing.there()
    assert DeltaTable(pointing.uri).count() == 80
    shutil.copytree(tmp_path / "t", tmp_path / "other")
    (done,) = pointing.erase()
    assert (done.erased, done.shared) == (0, 2)
