"""A batch that stands still keeps its status, and moves on as if nothing had been."""

from tasks.journal.events.batches import BatchClosed
from tasks.journal.events.halts import BatchStoodStill, StandstillEnded
from tasks.journal.events.transitions import next_status


def test_standing_still_changes_no_status():
    for status in ("frozen", "validated", "erasing", "waiting", "blocked"):
        for facts in (BatchStoodStill(reason="x"), StandstillEnded()):
            assert next_status("batches", status, facts) == status
    assert next_status("batches", "erasing", BatchClosed()) == "closed"
