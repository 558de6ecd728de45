from tasks.journal.events.withheld import NearMatch, NearMatchesSought, RequestsWithheld
from tasks.journal.histories.withheld import Withheld, note_withheld

NEAR = NearMatch(record="f-2", rows=2, subjects=1)


def test_who_is_held_and_who_is_unclear_leaves_the_batch():
    history = Withheld()
    note_withheld(history, 3, "withheld/3", RequestsWithheld(records=("f-1",)))
    sought = NearMatchesSought(versions={"t": (1,)}, unclear=(NEAR,))
    note_withheld(history, 4, "near-matches/4", sought)
    assert history.withheld_records == {"f-1", "f-2"}
    assert [(number, event_id) for number, event_id, _ in history.withheld] == [
        (3, "withheld/3"),
        (4, "near-matches/4"),
    ]
    assert history.near == {"f-2": ("near-matches/4", NEAR)}
    assert history.sought == sought


def test_a_look_that_finds_nobody_withholds_nobody():
    history = Withheld()
    note_withheld(history, 4, "near-matches/4", NearMatchesSought(versions={}, unclear=()))
    assert (history.withheld, history.near) == ([], {})
    assert history.sought is not None
