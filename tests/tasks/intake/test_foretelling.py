"""Rows that a run will quarantine are foretold; nothing is claimed or written by that."""

import json

from small_tables import MARK
from terminal import request

from tasks.intake.foretelling import foretold


def test_unusable_rows_are_counted_by_reason_and_nothing_is_written(services, tmp_path):
    rows = [request(1), request(2, ground="z"), request(3, ground="y"), request(1)]
    (path := tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    before = [info.key for info in services.store.list_objects("")]
    told = foretold(services, path)
    assert told.startswith("To be quarantined: 2 of 4 rows of a.jsonl (2 rows: ground must be one")
    assert MARK not in told
    assert [info.key for info in services.store.list_objects("")] == before


def test_sound_rows_and_files_that_cannot_be_read_have_nothing_to_foretell(services, tmp_path):
    (sound := tmp_path / "a.jsonl").write_text(json.dumps(request(1)))
    (broken := tmp_path / "a.exe").write_bytes(b"x")
    assert foretold(services, sound) == foretold(services, broken) == ""
