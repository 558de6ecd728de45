"""What people must look at: overdue requests first, then whatever the journal says went wrong."""

from factories import disposition

from tasks.certificates.alarms import alarms, standstills
from tasks.journal.events import ids
from tasks.journal.events.attempts import MemoryRanOut
from tasks.journal.events.batches import BatchClosed, TableGone
from tasks.journal.events.catalog import model_stream, request_stream
from tasks.journal.events.models import ModelWithdrawn
from tasks.journal.events.requests import HoldTooLate, RequestAccepted
from tasks.journal.events.versions import AliasLost


def accept(batch, record, **facts):
    told = RequestAccepted(disposition=disposition(record, **facts), batch=batch.name)
    batch.services.journal.append(request_stream(record), "accepted", told)
    return told


def test_a_batch_that_lacks_memory_stands_still_until_something_follows(batch):
    made = batch.plan()
    _, of = batch.of(made.key)
    assert standstills(batch.services) == []
    batch.happen(made.ids.out_of_memory("update"), MemoryRanOut(**of, reason="It needs 80 GB."))
    assert standstills(batch.services) == [
        f"Batch {batch.name} stands still for income. It needs 80 GB."
    ]
    batch.make()
    assert standstills(batch.services) == []


def test_overdue_requests_come_first_with_the_oldest_day(batch):
    assert alarms(batch.services) == []
    accept(batch, "r-70", received_at="2026-01-02T03:04:05+00:00")
    batch.enroll()
    tell(batch, "income", ModelWithdrawn(attempt="a-1", batch="b-1"))
    assert alarms(batch.services)[0] == "1 request is overdue, the first since 2026-02-02."
    accept(batch, "r-71", received_at="2026-01-01T03:04:05+00:00")
    assert alarms(batch.services)[0] == "2 requests are overdue, the first since 2026-02-01."


def tell(batch, model, facts):
    batch.services.journal.append(model_stream(model), "told", facts)


def test_a_model_out_of_service_is_an_alarm_until_another_version_is_enrolled(batch):
    batch.enroll()
    tell(batch, "income", ModelWithdrawn(attempt="a-1", batch="b-1"))
    (said,) = alarms(batch.services)
    assert said.startswith("income was withdrawn by batch b-1: nobody is served by it, and version")
    batch.enroll(version=2, digest="2" * 64)
    assert alarms(batch.services) == []


def test_a_model_that_lost_its_alias_is_an_alarm(batch):
    batch.enroll()
    tell(batch, "income", AliasLost(found=1))
    (said,) = alarms(batch.services)
    assert said.startswith("income lost its alias: nobody is served")


def test_a_table_that_was_no_more_is_an_alarm_also_once_its_batch_is_closed(batch):
    batch.happen(ids.gone("file:///gone"), TableGone(table="file:///gone"))
    batch.happen(ids.CLOSED, BatchClosed())
    batch.put(f"suppression/{batch.name}.json", {})
    (said,) = alarms(batch.services)
    assert "The table file:///gone was no more" in said


def test_a_hold_that_came_too_late_is_an_alarm_that_names_the_request(batch):
    told = accept(batch, "r-70", received_at="")
    late = HoldTooLate(disposition=told.disposition, batch=batch.name)
    batch.services.journal.append(request_stream("r-70"), "late", late)
    (said,) = alarms(batch.services)
    assert said.startswith(f"A legal hold came too late for {told.request_id}:")
