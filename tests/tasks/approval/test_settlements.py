import pytest
from factories import disposition

from tasks.approval.settlements import settle
from tasks.journal.events.catalog import request_stream
from tasks.journal.events.requests import RequestAccepted, RequestUnclear
from unlearning.errors import DataError, SettingsError


@pytest.fixture
def asked(services):
    """Services with one request that is unclear and one that is not."""
    for record, request in (("f-1", "R-1"), ("f-2", "R-2")):
        known = disposition(record, request_id=request)
        stream = request_stream(record)
        services.journal.append(stream, "judged", RequestAccepted(disposition=known, batch="b"))
        if request == "R-1":
            facts = RequestUnclear(disposition=known, batch="b")
            services.journal.append(stream, "unclear", facts)
    return services


@pytest.mark.parametrize(
    ("choice", "status", "said"),
    [
        ("exact", "accepted", "Ada settled it, exactly this id is meant: She said so."),
        ("withdraw", "withdrawn", "Ada settled it, withdrawn: She said so."),
    ],
)
def test_what_a_person_decides_is_told_to_the_request(asked, choice, status, said):
    assert settle(asked, "R-1", choice, name=" Ada ", reason="She said so.").reason == said
    head = asked.journal.latest(["f-1"])["f-1"]
    assert (head.status, head.facts.reason) == (status, said)
    assert (head.facts.name, head.facts.why) == ("Ada", "She said so.")


@pytest.mark.parametrize(("name", "reason"), [("", "Why."), ("Ada", " ")])
def test_nobody_settles_without_a_name_and_a_reason(asked, name, reason):
    with pytest.raises(SettingsError, match="--by NAME"):
        settle(asked, "R-1", "exact", name=name, reason=reason)


@pytest.mark.parametrize("request_id", ["R-2", "R-3"])
def test_only_what_is_unclear_can_be_settled(asked, request_id):
    with pytest.raises(DataError, match=f"No request '{request_id}' waits"):
        settle(asked, request_id, "exact", name="Ada", reason="Why.")


def test_what_is_settled_is_settled(asked):
    settle(asked, "R-1", "exact", name="Ada", reason="Why.")
    with pytest.raises(DataError, match="No request 'R-1' waits"):
        settle(asked, "R-1", "withdraw", name="Bea", reason="No.")
