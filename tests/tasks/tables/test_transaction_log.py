"""What a table's log says of data subjects, and how that is taken out of it."""

import json

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
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
        ("city = 'b' OR (who) = 'a'", {"a"}),
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


def upsert(uri: str, condition: str) -> None:
    """What a job of the lake does to rows by name, though nothing changes in them."""
    same = pa.table({"label": pa.array([0, 1], pa.int64())})
    table = DeltaTable(uri)
    table.merge(
        same, "target.label = source.label", source_alias="source", target_alias="target"
    ).when_matched_update(updates={"label": "target.label"}, predicate=condition).execute()


def quiet(uri: str) -> str:
    """The table, with a log that tells nobody."""
    delta.keep_ids_out_of_log(delta.open_table(load_settings(), uri), "subject_id")
    write_deltalake(uri, rows(1, first=900), mode="overwrite")
    transaction_log.trim(load_settings(), uri)
    assert not names_people(uri)
    return uri


def test_a_condition_of_a_merge_names_people_like_any_other(table):
    upsert(quiet(table), f"target.subject_id = '{subject(900)}'")
    assert names_people(table)
    asked = {subject(900), subject(90), "update"}
    assert transaction_log.named(load_settings(), table, "subject_id", asked) == {subject(900)}
    transaction_log.trim(load_settings(), table)
    assert not names_people(table)


def test_a_merge_by_the_ids_of_another_table_names_nobody(table):
    deletion.delete_rows(load_settings(), quiet(table), "subject_id", [subject(900)], "b")
    same = pa.table({"subject_id": ["x"]})
    DeltaTable(table).merge(
        same, "target.subject_id = source.subject_id", source_alias="source", target_alias="target"
    ).when_matched_delete().execute()
    assert not names_people(table)


@pytest.mark.parametrize("one", [subject(17), "17", "Ada Lovelace", "zo\u00eb@example.org"])
def test_what_somebody_wrote_beside_an_operation_names_people(table, one):
    told = CommitProperties(
        custom_metadata={"userMetadata": json.dumps({"asked": [f"id: {one}."]})}
    )
    DeltaTable(quiet(table)).delete("label = 7", commit_properties=told)
    write_deltalake(table, rows(1, first=901), mode="overwrite", commit_properties=told)

    def told_of(*ids):
        return transaction_log.names_people(load_settings(), table, "subject_id", ids)

    assert told_of("someone-else", one)
    assert not told_of("someone-else", "7", "Lovelac")
    found = transaction_log.named(load_settings(), table, "subject_id", {one, "someone-else"})
    assert found == ({one} if len(one) > 12 and " " not in one else set())  # or it may be chance
    transaction_log.trim(load_settings(), table)
    assert not told_of("someone-else", one)


def test_a_log_that_tells_how_a_table_was_made_names_nobody(tmp_path):
    fields = pa.schema([("subject_id", pa.string()), ("label", pa.int64())])
    table = DeltaTable.create((tmp_path / "new").as_uri(), fields)
    assert "subject_id" in json.dumps(table.history()[0])
    assert not names_people(table.table_uri)


def test_a_trimmed_log_is_not_trimmed_for_what_its_own_commit_says(table):
    ids = [*"0123456789", "Append", "WRITE", "expunge"]
    assert not transaction_log.names_people(load_settings(), quiet(table), "Append", ids)


def test_checksums_of_versions_tell_what_their_files_held(table):
    store = open_store(quiet(table), load_settings())
    stats = json.dumps({"minValues": {"subject_id": subject(3)}})
    kept = {"allFiles": [{"path": "gone.parquet", "stats": stats}]}
    number = DeltaTable(table).version()
    store.put(f"_delta_log/{number:020}.crc", json.dumps(kept).encode())
    store.put(f"_delta_log/.{number:020}.json.crc", b"crc\0")
    store.put(f"_delta_log/{number + 9:020}.crc", b'{"cut')
    assert names_people(table)
    transaction_log.trim(load_settings(), table)
    assert not names_people(table)
    assert f"_delta_log/.{number:020}.json.crc" not in {i.key for i in store.list_objects("")}
