"""Every old pseudonym of a store replaced, and whatever could tell of one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.subjects.rekeying import make_map, rekey_objects, replaced
from unlearning.policy.digests import bytes_digest, pseudonym, rekeyed

OLD, NEW = b"o" * 32, b"n" * 32
ANNA, BEN = pseudonym(OLD, "anna"), pseudonym(OLD, "ben")
STATE, NAME, FILE = "0123456789ab", "ba9876543210", "00ff00ff00ff"
REPLAY = f"replay-{ANNA}-{STATE}"
RUN_ID = "d" * 32
ROWS = "e" * 64


def certificate(who, request):
    return json.dumps({"request": {"request_id": request, "subject_pseudonym": who}}).encode()


def filled(store):
    digest = bytes_digest(certificate(ANNA, REPLAY))
    answer = {"subject": ANNA, "certificate_digest": digest, "request_id": REPLAY}
    texts = {
        f"journal/sheets/{FILE}/000001.json": json.dumps([{"of": f"{FILE}-000001", **answer}]),
        "journal/models/m/000001.json": json.dumps(
            [
                {
                    "run_id": RUN_ID,
                    "forget_digest": f"hmac-sha256:{ROWS}",
                    "at": f"relearned/w/{NAME}",
                }
            ]
        ),
        f"relearned/w/{NAME}.json": json.dumps({"subjects": [ANNA]}),
        f"certificates/{REPLAY}.json": certificate(ANNA, REPLAY).decode(),
        f"requests/ids/{bytes_digest(REPLAY.encode())}": f"{FILE}-000001 {ANNA}",
        f"suppression/without/b/reinstated-{ANNA}.json": json.dumps({"subjects": [ANNA]}),
        "suppression/without/b/aabbccddeeff.json": json.dumps({"subjects": [ANNA]}),
        "returned/t.json": json.dumps({"table": "t", "rows": {BEN: 1}}),
        "requests/incoming/theirs.json": ANNA,
        "scans/t/1.json": json.dumps({"rows": {ANNA: 1}}),
        "packs/suppression/00000001.json": ANNA,
        f"reports/b/{FILE}.html": f"<b>{REPLAY}</b>",
    }
    for key, text in texts.items():
        store.put(key, text.encode())
    return store


def whole(store):
    return {info.key: store.get(info.key).decode() for info in store.list_objects("")}


def test_nothing_of_before_is_left_but_what_is_not_ours(any_store):
    tokens = make_map(filled(any_store), NEW)
    rekey_objects(any_store, tokens)
    found = whole(any_store)
    assert found.pop("requests/incoming/theirs.json") == ANNA
    old = (ANNA, BEN, STATE, NAME, ROWS, "aabbccddeeff", bytes_digest(REPLAY.encode()))
    assert not [one for one in old if one in json.dumps(found)]
    assert not [key for key in found if key.startswith(("scans/", "packs/"))]
    assert RUN_ID in found["journal/models/m/000001.json"]
    prefixes = ("journal/", "certificates/", "relearned/", "requests/ids/", "scans/", "packs/")
    assert [any_store.count_noncurrent(one) for one in prefixes] == [0] * len(prefixes)


def test_what_named_something_names_it_still(any_store):
    rekey_objects(any_store, make_map(filled(any_store), NEW))
    found, who = whole(any_store), rekeyed(NEW, ANNA)
    (event,) = json.loads(found[f"journal/sheets/{FILE}/000001.json"])
    assert event["subject"] == who == pseudonym(OLD + NEW, "anna")
    data = found[f"certificates/{event['request_id']}.json"]
    assert bytes_digest(data.encode()) == event["certificate_digest"]
    assert found[f"requests/ids/{bytes_digest(event['request_id'].encode())}"].endswith(who)
    (enrolled,) = json.loads(found["journal/models/m/000001.json"])
    assert json.loads(found[f"{enrolled['at']}.json"]) == {"subjects": [who]}
    assert f"suppression/without/b/reinstated-{who}.json" in found


def test_replacing_twice_is_replacing_once(any_store):
    tokens = make_map(filled(any_store), NEW)
    rekey_objects(any_store, tokens)
    once = whole(any_store)
    rekey_objects(any_store, tokens)
    assert whole(any_store) == once


@given(st.text("0123456789abcdefg", max_size=20), st.text("0123456789abcdefg", max_size=20))
def test_a_pseudonym_is_found_whatever_stands_beside_it(before, after):
    now = replaced(f"{before}{ANNA}{after}", {ANNA: "f" * 32})
    assert ANNA not in now
    assert "f" * 32 in now


@pytest.mark.parametrize("text", ["", "abc", RUN_ID, FILE, f"{RUN_ID}-{FILE}"])
def test_what_is_no_pseudonym_stays(text):
    assert replaced(text, {ANNA: "f" * 32}) == text
