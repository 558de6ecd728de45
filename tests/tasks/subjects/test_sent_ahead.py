"""Requests that leave a batch for one of their own: each is in one batch, whenever a run stops."""

import json
from dataclasses import asdict

import pytest
from sent_requests import block, close, frozen, hold, release, statuses, submit

from tasks.intake import batches, freezing
from tasks.journal.events import ids
from tasks.journal.events.batches import SubjectsSuppressed
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import read_batch
from tasks.store import lease
from tasks.subjects import late_holds, open_batches, sent_ahead
from unlearning.errors import ConflictError


def names(services, batch):
    return sorted(d.request_id for d in batches.accepted(services, batch))


def records(services, *wanted):
    found = services.journal.requests()
    return {name for name, event in found if event.facts.request_id in wanted}


@pytest.fixture
def batch(services):
    submit(services, "one", 1, 2, 3)
    name = frozen(services)
    batches.validate(services, name)
    return name


def test_who_goes_ahead_is_in_a_batch_of_their_own(services, batch):
    to = sent_ahead.send(services, batch, records(services, "R-1", "R-2"), ["income"])
    assert open_batches.open_batches(services) == [batch, to]
    batches.validate(services, to)
    assert (names(services, batch), names(services, to)) == (["R-3"], ["R-1", "R-2"])
    assert statuses(services.journal) == dict.fromkeys(("R-1", "R-2", "R-3"), "accepted")
    history = read_batch(services.journal, batch)
    ((left, _, _),) = history.withheld
    assert (history.last_left("income"), history.last_left("photos")) == (left, 0)
    assert batches.subjects(services, to, "person") == ["person-1", "person-2"]


@pytest.mark.parametrize("wanted", [(), ("R-1", "R-2", "R-3")])
def test_nobody_goes_ahead_of_nobody(services, batch, wanted):
    assert sent_ahead.send(services, batch, records(services, *wanted)) == ""
    assert open_batches.open_batches(services) == [batch]


def test_a_run_that_is_killed_in_between_is_ended_before_anything_new_is_frozen(
    services, batch, monkeypatch
):
    block(services, batch)

    def killed(*_):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(freezing, "freeze", killed)
        with pytest.raises(RuntimeError):
            sent_ahead.send(services, batch, records(services, "R-1"))
    submit(services, "two", 4)
    found: list[list[str]] = []
    for one in open_batches.open_batches(services):
        batches.validate(services, one)
        found.append(names(services, one))
    assert sorted(found) == [["R-1"], ["R-2", "R-3", "R-4"]]
    assert len(open_batches.open_batches(services)) == 2
    sent_ahead.finish(services, batch)
    assert len(open_batches.open_batches(services)) == 2


def test_a_run_that_was_replaced_sends_nobody(services, batch):
    other = lease.Holder("elsewhere", 1, "another machine", "", "token")
    services.store.put("lease/000001.json", json.dumps(asdict(other)).encode())
    with pytest.raises(ConflictError, match="process 1 on elsewhere"):
        sent_ahead.send(services, batch, records(services, "R-1"))
    assert read_batch(services.journal, batch).ahead == {}


def test_nobody_leaves_a_batch_that_may_have_erased_rows_or_was_rejected(services, batch):
    stream = batch_stream(batch)
    services.journal.append(stream, ids.SUPPRESSED, SubjectsSuppressed(list="l", count=3))
    assert sent_ahead.send(services, batch, records(services, "R-1")) == ""


def test_a_hold_on_who_was_sent_ahead_is_a_matter_of_their_batch(services, batch):
    to = sent_ahead.send(services, batch, records(services, "R-1"))
    hold(services, 1)
    late_holds.withhold(services, batch)
    assert statuses(services.journal)["R-1"] == "accepted"
    batches.validate(services, to)
    assert statuses(services.journal)["R-1"] == "on_hold"
    release(services, 1)
    close(services, to)
    left, new = open_batches.open_batches(services)
    assert left == batch
    batches.validate(services, new)
    assert names(services, new) == ["R-1"]


def test_who_was_taken_over_and_sent_ahead_is_in_that_batch_alone(services):
    submit(services, "one", 1, 2)
    first = frozen(services)
    batches.validate(services, first)
    block(services, first)
    submit(services, "two", 3)
    batch = frozen(services)
    batches.validate(services, batch)
    to = sent_ahead.send(services, batch, records(services, "R-1"))
    batches.validate(services, to)
    block(services, to)
    assert set(open_batches.open_batches(services)) == {batch, to}
    submit(services, "three", 4)
    new = next(b for b in open_batches.open_batches(services) if b not in (batch, to))
    batches.validate(services, new)
    assert (names(services, batch), names(services, new)) == (["R-2", "R-3"], ["R-1", "R-4"])
