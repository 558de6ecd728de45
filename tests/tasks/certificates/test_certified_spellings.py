from factories import disposition, happen
from factories import frozen as batch_frozen

from tasks.certificates.certified_spellings import Spellings, spellings_of
from tasks.certificates.limits import Ground
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestAccepted, RequestSettled, RequestUnclear
from tasks.journal.events.withheld import NearMatchesSought
from tasks.journal.reading import read_batch

TOLD = {"disposition": disposition("f-1"), "batch": "b"}
SETTLED = RequestSettled(**TOLD, name="Ada", why="She said so.")


def test_a_batch_that_never_looked_states_nothing():
    found = Spellings({}, {})
    assert (found.searched("t"), found.decision("f-1")) == ({}, {})
    assert found.ground("f-1") == Ground(is_found=False)
    assert found.in_vain("f-1") == "no table has a row of exactly this id"


def test_where_was_looked_is_stated_of_the_table():
    found = Spellings({"t": (3, 1)}, {})
    assert found.searched("t") == {"spellings_sought_in": [3, 1]}
    assert found.searched("other") == {}
    assert found.ground("f-1") == Ground(is_found=False, are_spellings_sought=True)
    assert found.in_vain("f-1") == "no table has a row of exactly or nearly this id"


def test_where_the_same_id_may_be_another_s_only_its_own_kind_is_spoken_of():
    found = Spellings({"t": (3, 1)}, {}, are_kinds=True)
    assert found.in_vain("f-1") == "no table of its kind has a row of exactly or nearly this id"


def test_who_decided_is_stated_of_the_request_and_of_no_other(services):
    for event_id, facts in (
        ("judged", RequestAccepted(**TOLD)),
        ("near", RequestUnclear(**TOLD)),
        ("settled", SETTLED),
    ):
        services.journal.append(request_stream("f-1"), event_id, facts)
    sought = NearMatchesSought(versions={"t": (3,)}, unclear=(), exact=("f-1",))
    happen(services.journal, "b", frozen=batch_frozen(), near=sought)
    found = spellings_of(services, read_batch(services.journal, "b"))
    assert found.settled == {"f-1": SETTLED}
    assert found.decision("f-1")["spelling"]["decided_by"] == "Ada"
    assert found.decision("f-2") == {}
    assert found.ground("f-1") == Ground(is_found=False, is_settled=True)
    assert found.in_vain("f-1").endswith("exactly this id, which Ada said is meant")
