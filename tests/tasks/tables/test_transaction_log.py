"""What a table's log says of data subjects, and how that is taken out of it."""

import json

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from small_tables import MARK, rows, subject

from tasks.environment.settings import load_settings
from tasks.store.opening import open_store
from tasks.tables import deletion, delta, transaction_log


@pytest.fixture
def table(tmp_path) -> str:
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(60, seed=1))  # statistics on every column, ids included
    return place


def log_of(uri: str) -> bytes:
    store = open_store(uri, load_settings())
    return b"".join(store.get(i.key) for i in store.list_objects(transaction_log.PREFIX))


def names_people(uri: str) -> bool:
    return transaction_log.names_people(load_settings(), uri, "subject_id")


def test_statistics_of_rows_that_are_there_name_nobody_who_is_gone(table):
    assert MARK.encode() in log_of(table)
    assert not names_people(table)


def test_statistics_of_files_that_are_gone_name_people_until_the_log_is_trimmed(table):
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), table), "subject_id")
    deletion.delete_rows(load_settings(), table, "subject_id", [subject(0)])
    assert names_people(table)
    transaction_log.trim(load_settings(), table)
    assert not names_people(table)
    assert subject(0).encode() not in log_of(table)
    assert DeltaTable(table).count() == 59


def test_a_condition_of_an_earlier_deletion_names_people(table):
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), table), "subject_id")
    write_deltalake(table, rows(1, first=900), mode="overwrite")
    transaction_log.trim(load_settings(), table)
    assert not names_people(table)
    DeltaTable(table).delete(f"subject_id = '{subject(900)}'")
    assert names_people(table)


def test_commits_and_checkpoints_are_read_alike(table):
    store = open_store(table, load_settings())
    before = [entry for _, entry in transaction_log.read(store)]
    assert {name for entry in before for name in entry} >= {"protocol", "metaData", "add"}
    transaction_log.trim(load_settings(), table)
    keys = {key for key, _ in transaction_log.read(store)}
    assert any(key.endswith(".checkpoint.parquet") for key in keys)
    added = [e["add"] for _, e in transaction_log.read(store) if e.get("add")]
    assert {one["path"] for one in added} == delta.used_files(DeltaTable(table))


def test_a_log_tells_whose_rows_others_deleted_by_name(table):
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), table), "subject_id")
    write_deltalake(table, rows(1, first=900), mode="overwrite")
    transaction_log.trim(load_settings(), table)
    DeltaTable(table).delete(f"subject_id in ('{subject(900)}', 'it''s \u00e9lodie')")
    asked = {subject(900), subject(90), "it's \u00e9lodie", "1"}
    found = transaction_log.named(load_settings(), table, "subject_id", asked)
    assert found == {subject(900), "it's \u00e9lodie"}
    transaction_log.trim(load_settings(), table)
    assert not transaction_log.named(load_settings(), table, "subject_id", asked)


def test_a_log_tells_numbers_and_whole_ids_in_statistics(tmp_path):
    place, long = tmp_path / "t", "x" * 40
    write_deltalake(place, pa.table({"n": [7, 12], "who": ["a", "b"]}))
    settings, uri = load_settings(), place.as_uri()
    assert transaction_log.named(settings, uri, "n", {"7", "8", "12"}) == {"7", "12"}
    DeltaTable(place).delete("n = 7 or n = 8")
    assert transaction_log.named(settings, uri, "n", {"8", "88"}) == {"8"}
    # What is cut short may be anybody's.
    cut = {"add": {"stats": json.dumps({"maxValues": {"who": f"{long[:32]}\u007f"}})}}
    (place / "_delta_log" / f"{9:020}.json").write_text(json.dumps(cut))
    assert transaction_log.named(settings, uri, "who", {long, "x"}) == set()


def test_what_a_log_says_of_other_columns_names_nobody(tmp_path):
    place = tmp_path / "t"
    write_deltalake(place, pa.table({"n": [70, 120], "age": [7, 8], "city": ["anna", "bob"]}))
    DeltaTable(place).delete("age = 7")
    DeltaTable(place).vacuum(0, dry_run=False, enforce_retention_duration=False)
    settings, uri = load_settings(), place.as_uri()
    asked = {"7", "0", "1", "anna", "city", "age", "n", "true", "false"}
    assert transaction_log.named(settings, uri, "n", asked) == set()


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("who = 'a' AND city = 'b'", {"a"}),
        ("city = 'b' OR (who) = 'a'", set()),
        ("'a' = who", {"a"}),
        ("who IN ('a', 'c') AND city IN ('b')", {"a", "c"}),
        ("NOT who NOT IN ('a')", {"a"}),
        ('["(who#12 = a)"]', {"a"}),
        ("`t`.`who` = 'b'", {"b"}),
        ("t.who = 'a' and t.\"who\" = 'b'", {"a", "b"}),
        ("\"who\" <=> 'it''s'", {"it's"}),
        ("whole = 'a' and b = who", {"b"}),
        ("who = city", set()),
    ],
)
def test_only_what_is_compared_with_the_column_is_told(tmp_path, condition, found):
    told = {"commitInfo": {"operationParameters": {"predicate": condition}}}
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / f"{0:020}.json").write_text(json.dumps(told))
    asked = {"a", "b", "c", "it's", "who"}
    got = transaction_log.named(load_settings(), tmp_path.as_uri(), "who", asked)
    assert got == found
