"""Rows that a run will quarantine are foretold; nothing is claimed or written by that."""

import json

from small_tables import MARK
from terminal import request

from tasks.intake.foretelling import Foretold, foretold


def test_unusable_rows_are_counted_by_reason_and_nothing_is_written(services, tmp_path):
    rows = [request(1), request(2, ground="z"), request(3, ground="y"), request(1)]
    (path := tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    before = [info.key for info in services.store.list_objects("")]
    told = foretold(services, path)
    assert told.usable == 2
    assert told.sentence.startswith(
        "To be quarantined: 2 of 4 rows of a.jsonl (rows 2 and 3: ground must be one"
    )
    assert MARK not in told.sentence
    assert [info.key for info in services.store.list_objects("")] == before


def test_sound_rows_and_files_that_cannot_be_read_have_nothing_to_foretell(services, tmp_path):
    (sound := tmp_path / "a.jsonl").write_text(json.dumps(request(1)))
    (broken := tmp_path / "a.exe").write_bytes(b"x")
    assert foretold(services, sound) == Foretold(1, "")
    assert foretold(services, broken) == Foretold(0, "")


def test_of_many_rows_the_first_are_told_and_how_many_more(services, tmp_path):
    rows = [request(n, ground="z") for n in range(9)]
    (path := tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    told = foretold(services, path)
    assert told.usable == 0
    assert "(rows 1, 2, 3, 4, 5 and 4 more: ground must be" in told.sentence
