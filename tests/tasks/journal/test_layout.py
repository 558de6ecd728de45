import pytest

from tasks.journal import layout
from tasks.journal.layout import Group
from unlearning.errors import DataError


def test_the_next_object_of_a_group_has_the_next_number():
    group = Group("b-1", "journal/batches/b-1/", ("journal/batches/b-1/000001.json",))
    assert group.count == 1
    assert group.next_key == "journal/batches/b-1/000002.json"


def test_only_requests_share_sheets():
    assert layout.is_shared("requests")
    assert not layout.is_shared("batches")
    assert layout.group_of("requests", "0123456789ab-000123") == "0123456789ab-000"
    assert layout.group_of("requests", "7") == "7"
    assert layout.group_of("models", "income") == "income"


def test_groups_are_found_where_they_lie(store):
    store.put("journal/batches/b-1/000001.json", b"1")
    store.put("journal/batches/b-10/000001.json", b"1")
    store.put("journal/sheets/f-000/000001.json", b"1")
    assert layout.find_group(store, "batches", "b-1").keys == ("journal/batches/b-1/000001.json",)
    assert [g.name for g in layout.all_groups(store, "batches")] == ["b-1", "b-10"]
    assert [g.next_key for g in layout.all_groups(store, "requests")] == [
        "journal/sheets/f-000/000002.json"
    ]


def test_a_settled_group_is_settled_as_it_is_and_not_as_it_becomes(store):
    group = Group("b-1", "journal/batches/b-1/", ("one",))
    layout.note_finished(store, "batches", group)
    assert layout.finished(store, "batches") == {("b-1", 1)}
    assert layout.finished(store, "requests") == set()


def test_an_object_that_is_missing_is_named():
    folder = "journal/models/m/"
    whole = Group("m", folder, (f"{folder}000001.json", f"{folder}000002.json"))
    whole.refuse_gaps()
    torn = Group("m", folder, (f"{folder}000001.json", f"{folder}000003.json"))
    with pytest.raises(DataError, match=r"000002\.json is missing; restore it"):
        torn.refuse_gaps()
