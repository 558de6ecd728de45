"""What rows point to is written down before they are deleted, and looked at before that."""

import shutil
from dataclasses import replace

import pytest
from deltalake import DeltaTable, write_deltalake
from factories import enrollment
from object_world import key_of, photo_spec
from small_tables import MARK, subject

from tasks.erasure.addresses import note_addresses, pending
from tasks.journal.reading import record_enrollment
from tasks.tables.delta import open_table
from unlearning.errors import DataError
from unlearning.policy.subject_kinds import SubjectColumn


def note(pointing, numbers):
    table = open_table(pointing.services.settings, pointing.uri)
    who = [subject(n) for n in numbers]
    note_addresses(pointing.services, "b", table, pointing.uri, SubjectColumn("subject_id"), who)
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


def test_what_earlier_weights_learned_counts_while_it_can_be_read(pointing):
    DeltaTable(pointing.uri).delete(f"subject_id = '{subject(3)}'")
    later = enrollment(
        dataset=photo_spec(pointing.uri, pointing.prefix),
        holdout=f"{pointing.uri}-holdout",
        version=2,
        digest="d2",
        dataset_version=1,
    )
    record_enrollment(pointing.services.journal, later)
    assert note(pointing, [3]) == [{key_of(3)}]


def test_a_batch_stops_if_the_prefix_holds_nobodys_objects(pointing, tmp_path):
    for number in (3, 70):
        (tmp_path / "photos" / key_of(number)).unlink()
    assert pointing.check() is None  # theirs alone may have gone before
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"Nothing that rows of .* point to"):
        pointing.check()


def test_a_batch_stops_if_others_point_to_an_object_that_bears_an_erased_id(pointing):
    pointing.point(900, key_of(3))
    with pytest.raises(DataError, match=r"1 objects below .* bear the id") as refused:
        pointing.check()
    assert MARK not in str(refused.value)
    assert DeltaTable(pointing.uri).count() == 81


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
