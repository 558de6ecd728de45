import json

import numpy as np
import pytest

from tasks.subjects.row_files import ending, in_order, rekey_row_files
from tasks.tables.row_digests import rekeyed_rows
from unlearning.policy.digests import HALF, pseudonym

OLD, NEW, THIRD = b"o" * 32, b"n" * 32, b"t" * 32
PEOPLE = ("anna", "ben", "cleo")
DIGESTS = np.array([9, 5, 2**64 - 1, 7], dtype=np.uint64)


def rows_of(*keys):
    """What a file has of the people, and of a row that names nobody."""
    halves = [int(pseudonym(b"".join(keys), one)[:HALF], 16) for one in PEOPLE]
    digests = DIGESTS
    for key in keys[1:]:
        digests = rekeyed_rows(key, digests)
    return in_order(np.stack([np.array([0, *halves], dtype=np.uint64), digests], axis=1))


def filled(store):
    store.put("rosters/a-model/0123.rows", rows_of(OLD).tobytes())
    head = json.dumps(["x"]).encode() + b"\n"
    store.put("erased-rows/b-1/t-4.rows", head + rows_of(OLD).tobytes())
    store.put("rosters/empty/0123.rows", b"")
    return store


def whole(store):
    return {info.key: store.get(info.key) for info in store.list_objects("")}


def test_files_hold_what_they_would_had_all_keys_always_been_in_use(any_store):
    rekey_row_files(filled(any_store), OLD + NEW)
    assert whole(any_store) == {
        "rosters/a-model/0123.2.rows": rows_of(OLD, NEW).tobytes(),
        "erased-rows/b-1/t-4.2.rows": b'["x"]\n' + rows_of(OLD, NEW).tobytes(),
        "rosters/empty/0123.2.rows": b"",
    }
    assert any_store.count_noncurrent("") == 0
    once = whole(any_store)
    rekey_row_files(any_store, OLD + NEW)
    assert whole(any_store) == once
    rekey_row_files(any_store, OLD + NEW + THIRD)
    assert whole(any_store)["rosters/a-model/0123.3.rows"] == rows_of(OLD, NEW, THIRD).tobytes()


def test_a_file_whose_old_form_was_not_dropped_is_made_once(store):
    rekey_row_files(filled(store), OLD + NEW)
    once = whole(store)
    rekey_row_files(filled(store), OLD + NEW)
    assert whole(store) == once


@pytest.mark.parametrize(("count", "end"), [(1, ".rows"), (2, ".2.rows")])
def test_a_name_says_how_many_keys_there_are(services, monkeypatch, count, end):
    monkeypatch.setenv("EXPUNGE_PSEUDONYM_KEY", ",".join(["5a" * 32] * count))
    from tasks.environment.settings import load_settings

    assert ending(load_settings()) == end
