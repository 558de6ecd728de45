from tasks.journal.events.withheld import NearMatch


def test_a_near_match_holds_counts_and_the_record_that_it_is_told_to():
    found = NearMatch(record="f-1", rows=2, subjects=1)
    assert (found.record, found.rows, found.subjects) == ("f-1", 2, 1)
