import json
import shutil

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from factories import dataset, enrollment
from small_tables import MARK
from terminal import request

from tasks.environment.settings import load_settings
from tasks.journal.reading import record_enrollment
from tasks.registry.services import Services

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(json.dumps(request(i)) for i in range(3)))
    return path


def test_files_are_stored_and_counted_without_quoting_anybody(expunge, file, tmp_path):
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"this is not gzip")
    said = expunge("submit", file, broken)
    assert said.status == 0
    assert "Stored requests.jsonl in" in said.out
    assert "(3 rows)" in said.out
    assert "Stored broken.csv.gz in" in said.out
    assert "will be quarantined" in said.out
    assert "Next: expunge run" in said.out
    assert MARK not in said.out + said.err


def test_rows_that_will_be_quarantined_are_foretold_with_their_reasons(expunge, tmp_path):
    rows = [request(1), request(2, received_at="2999-01-01T00:00:00Z"), request(3, ground="z")]
    (mixed := tmp_path / "mixed.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    said = " ".join(expunge("submit", mixed).out.split())
    assert "To be quarantined: 2 of 3 rows of mixed.jsonl" in said
    assert "row 2: received_at lies in the future" in said
    assert "row 3: ground must be one of a to f" in said
    assert MARK not in said


def test_files_of_which_no_row_can_be_used_are_stored_and_end_with_a_status(expunge, tmp_path):
    (bad := tmp_path / "bad.jsonl").write_text(json.dumps(request(3, ground="z")))
    (broken := tmp_path / "broken.exe").write_bytes(b"x")
    said = expunge("submit", bad, broken)
    assert said.status == 2
    assert "No row of what was stored can be used" in said.sentence
    assert "Stored bad.jsonl in" in said.out
    assert "To be quarantined: 1 of 1 row of bad.jsonl (row 1: ground must" in " ".join(
        said.out.split()
    )
    assert "Another file named" not in expunge("submit", bad).sentence


def test_ids_are_compared_with_the_tables_as_the_run_will(expunge, tmp_path):
    services = Services.open(load_settings())
    place = (tmp_path / "crm").as_uri()
    write_deltalake(place, pa.table({"subject_id": pa.array([17])}))
    known = enrollment(model="crm", dataset=dataset(uri=place), holdout=place)
    record_enrollment(services.journal, known)
    rows = [request(i, subject_id=who) for i, who in enumerate(["17", "017", "ABC", "NULL"])]
    (file := tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    said = " ".join(expunge("submit", file).out.split())
    assert "To be quarantined: 2 of 4 rows of a.jsonl (rows 3 and 4: subject_id is none" in said
    shutil.rmtree(tmp_path / "crm")
    other = file.rename(tmp_path / "b.jsonl")
    said = expunge("submit", other)
    assert "nobody could now" in said.out
    assert said.status == 0


def test_nothing_is_foretold_of_rows_that_are_sound(expunge, file):
    assert "quarantined" not in expunge("submit", file).out


def test_a_name_is_shown_as_it_is(expunge, file):
    odd = file.rename(file.with_name("[red]r.jsonl"))
    assert "Stored [red]r.jsonl in" in expunge("submit", odd).out


def test_another_file_of_the_same_name_is_refused(expunge, file):
    expunge("submit", file)
    file.write_text(json.dumps(request(9)))
    assert (
        "Another file named requests.jsonl was submitted before" in expunge("submit", file).sentence
    )


def test_no_file_and_a_missing_file_are_told(expunge, tmp_path):
    assert "Name at least one file" in expunge("submit").sentence
    assert "No such file" in expunge("submit", tmp_path / "nowhere.jsonl").sentence
