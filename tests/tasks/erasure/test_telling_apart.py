"""One record in the way of many is found in few looks."""

import json

import pytest
from object_world import key_of
from sent_requests import validated
from small_tables import subject

from tasks.erasure import rows
from tasks.erasure.telling_apart import in_the_way
from tasks.intake import batches
from tasks.subjects import resolution
from unlearning.errors import DataError

MANY = {f"r{n:04d}": f"s{n}" for n in range(1000)}


def check_of(*bad):
    looked = []

    def check(subjects):
        looked.append(len(subjects))
        if set(bad) & set(subjects):
            raise DataError("in the way")

    return check, looked


@pytest.mark.parametrize("bad", ["s0", "s517", "s999"])
def test_one_of_many_is_told_apart(bad):
    check, looked = check_of(bad)
    assert in_the_way(check, MANY) == {f"r{int(bad[1:]):04d}"}
    assert len(looked) <= 22


def test_many_in_the_way_cost_no_more_looks_and_whoever_is_unclear_stays():
    check, looked = check_of("s3", "s400", "s401", "s800")
    assert {"r0003", "r0400", "r0401", "r0800"} <= in_the_way(check, MANY)
    assert len(looked) <= 26
    assert in_the_way(check_of("s1")[0], {"r1": "s1"}) == {"r1"}


def test_who_has_an_object_that_cannot_be_deleted_holds_up_nobody_else(unasked, tmp_path):
    services, photo = unasked.services, tmp_path / "photos" / key_of(2)
    photo.unlink()
    photo.mkdir()
    asked = [
        {"request_id": f"R-{n}", "subject_id": subject(n), "received_at": "2026-01-02T03:04:05Z"}
        for n in (1, 2, 3)
    ]
    services.store.put("requests/incoming/one.jsonl", "\n".join(map(json.dumps, asked)).encode())
    batch = validated(services)
    resolution.resolve(services, batch)
    with pytest.raises(DataError, match=r"1 addresses below .* are those of a folder"):
        rows.refuse_unready_tables(services, batch)
    assert [d.request_id for d in batches.accepted(services, batch)] == ["R-2"]
