"""Which batches there are, whatever was interrupted; no model and no table is needed for that."""

import json

import pytest
from sent_requests import batch_status, block, close, frozen, hold, release, statuses, submit

from tasks.intake import batches, inbox, suite
from tasks.subjects import open_batches


def test_nothing_new_is_nothing_to_do(services):
    assert open_batches.open_batches(services) == []
    assert not open_batches.has_work(services)


def test_a_released_record_of_an_interrupted_batch_is_not_frozen_again(services):
    hold(services, 1)
    submit(services, "one", 1)
    batches.validate(services, frozen(services))
    close(services, frozen(services))
    release(services, 1)
    second = frozen(services)  # and the run is killed before it validates
    submit(services, "two", 2)
    found = open_batches.open_batches(services)
    assert found[0] == second
    assert [len(list(inbox.read_records(services, b))) for b in found] == [1, 1]
    for batch in found:
        batches.validate(services, batch)
    assert statuses(services.journal) == {"R-1": "accepted", "R-2": "accepted"}


def test_a_batch_is_closed_only_if_all_its_open_requests_went_on(services):
    hold(services, 1)
    submit(services, "one", 1, 2, 3)
    first = frozen(services)
    batches.validate(services, first)
    release(services, 1)
    _, second = open_batches.open_batches(services)  # takes the released request alone
    batches.validate(services, second)
    block(services, first)
    block(services, second)
    assert set(open_batches.open_batches(services)) == {first, second}
    submit(services, "two", 4)
    (third,) = open_batches.open_batches(services)
    batches.validate(services, third)
    assert set(statuses(services.journal).values()) == {"accepted"}
    assert {e.facts.batch for _, e in services.journal.requests()} == {third}
    assert (batch_status(services, first), batch_status(services, second)) == ("closed", "closed")


def test_a_request_that_is_held_and_released_twice_is_worked_on_twice(services):
    hold(services, 1)
    submit(services, "one", 1)
    batches.validate(services, frozen(services))
    close(services, frozen(services))
    release(services, 1)
    second = frozen(services)
    batches.validate(services, second)
    block(services, second)
    hold(services, 1)
    submit(services, "two", 2)
    third = frozen(services)
    batches.validate(services, third)
    assert statuses(services.journal) == {"R-1": "on_hold", "R-2": "accepted"}
    close(services, third)
    release(services, 1)
    fourth = frozen(services)
    batches.validate(services, fourth)
    assert statuses(services.journal)["R-1"] == "accepted"
    assert len({second, third, fourth}) == 3


@pytest.mark.parametrize("subject", ["person-1", "somebody else"])
@pytest.mark.parametrize("keep", [hold, None], ids=["on hold", "blocked"])
def test_an_open_request_keeps_its_id_whoever_uses_it_again(services, keep, subject):
    if keep:
        keep(services, 1)
    submit(services, "one", 1)
    first = frozen(services)
    batches.validate(services, first)
    if keep:
        close(services, first)
        release(services, 1)
    else:
        block(services, first)
    ((mine, _),) = services.journal.requests()
    again = {"request_id": "R-1", "subject_id": subject, "received_at": "2026-01-02T03:04:05Z"}
    submit(services, "two", 2, line=json.dumps(again))
    second = frozen(services)
    batches.validate(services, second)
    outcome = "duplicate" if subject == "person-1" else "quarantined"
    heads = dict(services.journal.requests())
    assert heads.pop(mine).status == "accepted"
    assert sorted(e.status for e in heads.values()) == ["accepted", outcome]
    assert batches.subjects(services, second, "person") == ["person-1", "person-2"]


def test_a_rule_that_came_later_does_not_refuse_who_was_valid_before(services, monkeypatch):
    submit(services, "one", 1)
    first = frozen(services)
    batches.validate(services, first)
    block(services, first)
    monkeypatch.setattr(suite, "REQUEST_ID", "^case-")
    submit(services, "two", 2)
    batches.validate(services, frozen(services))
    assert {d.outcome for d in batches.dispositions(services, frozen(services))} == {
        "accepted",
        "quarantined",
    }
    assert statuses(services.journal)["R-1"] == "accepted"


def test_batches_are_worked_off_in_the_order_in_which_they_came(services):
    submit(services, "one", 1)
    first = frozen(services)
    submit(services, "two", 2)
    second = open_batches.open_batches(services)[1]
    batches.validate(services, first)  # its latest event is now the younger one
    assert open_batches.open_batches(services) == [first, second]
