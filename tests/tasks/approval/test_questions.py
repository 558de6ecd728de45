"""Questions to people as they stand in the journal, until somebody answers."""

from tasks.approval import questions
from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream
from unlearning.config.approval_policy import ApprovalPolicy


def test_who_was_not_asked_waits_for_nobody(world):
    batch = world.batch(range(5))
    world.process(batch)
    assert questions.waiting(world.services) == []
    assert questions.describe(world.services, batch) == ""


def test_batches_that_wait_and_that_were_rejected_both_need_an_answer(world):
    first, second = world.batch(range(11)), world.batch(range(20, 35), "next-day")
    for batch in (first, second):
        world.process(batch)
    world.decide(first, "reject")
    found = {asked.batch: status for status, asked in questions.waiting(world.services)}
    assert found == {first: "rejected", second: "waiting"}
    world.decide(second)
    assert [asked.batch for _, asked in questions.waiting(world.services)] == [first]


def test_a_batch_that_is_closed_is_not_looked_at_again(world):
    world.reenroll(approval=ApprovalPolicy(always=True))
    batch = world.batch([1])
    world.process(batch)
    world.decide(batch)
    world.journal.append(batch_stream(batch), "closed", BatchClosed())
    assert questions.waiting(world.services) == []


def test_the_description_holds_what_a_form_without_tables_must_say(world):
    batch = world.batch(range(30))
    world.process(batch)
    text = questions.describe(world.services, batch)
    assert text.startswith(f"Batch {batch}, due on 2026-02-02. income has to forget 30 of 100 rows")
    assert "- income version 1: 30 of 100 rows (30.0%), retrain" in text
    assert "a retrain takes nobody knows how long" in text
