import json

import pytest
from small_tables import MARK, subject

pytestmark = pytest.mark.usefixtures("home")


def test_holds_are_placed_and_released_by_file(expunge, tmp_path):
    file = tmp_path / "court[red].jsonl"
    file.write_text("\n".join(json.dumps({"subject_id": subject(i)}) for i in range(2)))
    placed = expunge("hold", file)
    assert "2 rows of court[red].jsonl are on hold from now on" in placed.out
    assert MARK not in placed.out + placed.err
    assert "Released the holds of court[red].jsonl" in expunge("hold", file, "--release").out
    assert "court[red].jsonl" in expunge("hold", file, "--release").sentence


def test_a_file_that_names_nobody_is_refused(expunge, tmp_path):
    file = tmp_path / "court.jsonl"
    file.write_text('{"person": "x"}')
    assert "subject_id" in expunge("hold", file).sentence
