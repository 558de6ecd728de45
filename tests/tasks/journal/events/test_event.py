from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.event import Event


def test_an_event_is_named_after_what_happened():
    assert Event(1, "closed", "", "closed", BatchClosed()).name == "BatchClosed"


def test_a_stream_is_named_by_what_it_is_about():
    assert str(batch_stream("b-1")) == "batches/b-1"
