"""What a certificate says of tables: rounds as one, and where was searched."""

from hand_made_batch import TABLE

from tasks.certificates.certified_tables import erasure_of, gone, objects_of, search_of
from tasks.journal.events.objects import ObjectsErased
from tasks.subjects.matches import matches


def test_the_search_names_column_and_versions(batch):
    (found,) = matches(batch.services, batch.name)
    assert search_of(found) == {
        "table": TABLE,
        "column": "subject_id",
        "version": 1,
        "earlier_versions": [],
        "rows": 4000,
    }


def test_the_erasure_of_a_table_adds_up_and_ends_with_the_search_for_ids(erased):
    stated = erasure_of(TABLE, erased.history().tables[TABLE])
    rows = stated["rows_before"] - stated["rows_matched"] + stated["rows_appended"]
    assert rows == stated["rows_after"] == 3700
    assert (stated["files_left_over"], stated["hits"], stated["ids_searched"]) == (0, 0, 3)


def test_a_table_that_is_no_more_claims_no_erasure():
    assert gone("file:///x")["outcome"] == "gone"
    assert "none was erased" in gone("file:///x")["reason"]


def test_rounds_below_one_prefix_are_stated_as_one_and_in_the_table_that_pointed_there():
    def round_of(prefix, lists, *tables):
        return ObjectsErased(
            prefix=prefix, tables=tables, lists=lists, erased=2, shared=1, missing=0
        )

    rounds = [round_of("p", 1, "t"), round_of("q", 2, "t", "u"), round_of("p", 3, "t")]
    found = {one["prefix"]: one for one in objects_of("t", rounds)["objects"]}
    assert [found[p]["objects_erased"] for p in ("p", "q")] == [4, 2]
    assert [one["prefix"] for one in objects_of("u", rounds)["objects"]] == ["q"]
    assert objects_of("v", rounds) == {}
