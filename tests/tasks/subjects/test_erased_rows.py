from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows, subject

from tasks.subjects.erased_rows import keep_erased, with_new_rows
from unlearning.policy.subject_kinds import SubjectColumn, kind_pseudonym

COLUMN = SubjectColumn("subject_id")


def test_a_row_that_was_erased_is_told_from_a_new_one(services, tmp_path):
    place = tmp_path / "t"
    write_deltalake(place, rows(20, seed=1))
    keep_erased(services, "b-1", DeltaTable(place), COLUMN, [subject(3), subject(4)])
    (info,) = services.store.list_objects("erased-rows/b-1/")
    data = services.store.get(info.key)
    assert MARK.encode() not in data
    assert len(data.partition(b"\n")[2]) == 2 * 16
    write_deltalake(place, rows(1, first=4, seed=9), mode="append")
    secret = services.settings.pseudonym_secret()
    named = {subject(n): kind_pseudonym(secret, "person", subject(n)) for n in (3, 4, 5)}
    found = with_new_rows(services, DeltaTable(place), COLUMN, named, ["b-1"])
    assert found == {named[subject(4)], named[subject(5)]}  # of 5 nothing was written down
    everybody = set(named.values())
    assert with_new_rows(services, DeltaTable(place), COLUMN, named, ["b-2"]) == everybody


def test_who_is_found_after_a_run_died_before_it_deleted_is_written_down_too(services, tmp_path):
    write_deltalake(place := tmp_path / "t", rows(20, seed=1))
    secret = services.settings.pseudonym_secret()
    named = {subject(n): kind_pseudonym(secret, "person", subject(n)) for n in (3, 4)}
    for gone in ([subject(3)], [*named], [*named]):
        keep_erased(services, "b-1", DeltaTable(place), COLUMN, gone)
    assert len(list(services.store.list_objects("erased-rows/b-1/"))) == 2
    assert with_new_rows(services, DeltaTable(place), COLUMN, named, ["b-1"]) == set()


def test_a_column_that_came_since_makes_no_row_new(services, tmp_path):
    place = tmp_path / "t"
    table = rows(5, seed=1)
    write_deltalake(place, table)
    keep_erased(services, "b-1", DeltaTable(place), COLUMN, [subject(3)])
    more = table.append_column("extra", table["label"])
    write_deltalake(place, more, mode="overwrite", schema_mode="overwrite")
    who = kind_pseudonym(services.settings.pseudonym_secret(), "person", subject(3))
    found = with_new_rows(services, DeltaTable(place), COLUMN, {subject(3): who}, ["b-1"])
    assert found == set()
