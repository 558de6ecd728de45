"""What a report says of objects rests on what was recorded of them."""

from factories import frozen, validated

from tasks.journal.events.batches import FilesPurged
from tasks.journal.events.event import Event
from tasks.journal.events.objects import ObjectsErased
from tasks.journal.histories.batch import batch_history
from tasks.report.batch_limits import limits_of, objects_said

GONE = ObjectsErased(prefix="s3://b/p", tables=("t",), lists=1, erased=1, shared=2, missing=0)
PURGED = FilesPurged(
    table="t",
    files_removed=2,
    leftover_files=0,
    objects_searched=4,
    bytes_searched=1000,
    ids_searched=5,
    ids_searched_as_words=5,
    hits=0,
    version=2,
    rows=95,
)


def history(*facts):
    told = enumerate((frozen(), validated(), *facts), start=1)
    return batch_history(Event(n, f"e{n}", "2026-11-01", "erasing", one) for n, one in told)


def test_objects_are_told_of_below_their_prefix():
    (said,) = objects_said(history(PURGED, GONE))
    assert "Below s3://b/p 1 object that only these rows pointed to" in said
    assert "rows of others point there: 2" in said
    assert list(objects_said(history(PURGED))) == []


def test_their_limits_are_said_where_there_were_some():
    said = " ".join(limits_of(history(PURGED, GONE), [], []))
    assert "rows of others point to them too" in said
    assert "others that show the person" in said
    assert "others that show the person" not in " ".join(limits_of(history(PURGED), [], []))


def test_a_batch_that_erased_and_judged_nothing_has_no_limits_but_those_of_a_search():
    assert list(limits_of(history(), [], [])) == []
    assert any("searched" in one for one in limits_of(history(), ["not_found"], []))
