"""No erased id is left in an object: as a value, in the log, as a word."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import convert_to_deltalake, write_deltalake
from small_tables import rows, subject

from tasks.environment.settings import load_settings
from tasks.tables import absence_scan
from unlearning.errors import ConflictError, DataError


def test_what_stands_in_a_dictionary_without_a_row_is_found(tmp_path):
    place = tmp_path / "t"
    place.mkdir()
    both = pa.array(["used-subject", "gone-subject"]).dictionary_encode()
    pq.write_table(pa.table({"id": both}).slice(0, 1), place / "a.parquet", compression="zstd")
    convert_to_deltalake(place, configuration={"delta.dataSkippingNumIndexedCols": "0"})
    found = absence_scan.search(load_settings(), place.as_uri(), "id", ["gone-subject"])
    assert found.hits == ["a.parquet"]
    assert absence_scan.search(load_settings(), place.as_uri(), "id", ["other-subject"]).hits == []


@pytest.mark.parametrize("partitioned", [[], ["id"]])
def test_a_file_that_nobody_committed_yet_is_searched_by_value(tmp_path, partitioned):
    place = tmp_path / "t"
    numbers = pa.table({"id": pa.array([1, 2]), "x": pa.array([0.5, 1.5])})
    write_deltalake(place, numbers, partition_by=partitioned or None)
    name = "part-00000-1b4e28ba-2fa1-11d2-883f-0016d3cca427-c000.snappy.parquet"
    young = f"id=3/{name}" if partitioned else name
    (place / young).parent.mkdir(exist_ok=True)
    own = pa.table({"x": [9.5]}) if partitioned else pa.table({"id": [3], "x": [9.5]})
    pq.write_table(own, place / young, compression="zstd")

    def search(*ids):
        return absence_scan.search(
            load_settings(), place.as_uri(), "id", ids, uncommitted=frozenset({young})
        )

    assert search("4", "5").hits == []
    with pytest.raises(ConflictError, match=r"1 data files .* which no commit names yet"):
        search("3")
    (place / young).write_bytes(b"half of")  # what cannot be read is not certified over
    with pytest.raises(ConflictError, match="cannot be read"):
        search("4")


def test_every_object_is_searched_and_an_id_is_found_wherever_it_stands(tmp_path):
    write_deltalake(place := tmp_path / "t", rows(20))
    absent = absence_scan.search(load_settings(), place.as_uri(), "subject_id", [subject(99)])
    files = [p for p in place.rglob("*") if p.is_file()]
    assert absent.objects == len(files)
    assert absent.size == sum(p.stat().st_size for p in files)
    assert (absent.ids, absent.words, absent.hits) == (1, 1, [])
    absence_scan.check(absent, place.as_uri())
    (place / "_note.txt").write_text(f"sold to {subject(99)}, say")
    (place / f"_{subject(98)}").mkdir()
    (place / f"_{subject(98)}" / "_empty").touch()
    found = absence_scan.search(
        load_settings(), place.as_uri(), "subject_id", [subject(99), f"_{subject(98)}"]
    )
    assert found.hits == ["_note.txt", "an object with an id for a name"]


def test_a_hit_is_told_by_its_object_and_never_by_the_id(tmp_path):
    write_deltalake(place := tmp_path / "t", rows(20))
    found = absence_scan.search(load_settings(), place.as_uri(), "subject_id", [subject(3)])
    with pytest.raises(DataError, match="still stand in") as error:
        absence_scan.check(found, place.as_uri())
    assert subject(3) not in str(error.value)
    assert all(Path(place, key).is_file() for key in found.hits)
