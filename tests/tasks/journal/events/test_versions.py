from factories import retired

from tasks.journal.events.versions import PlaceLookedAt


def test_a_retired_version_keeps_the_day_it_was_promised():
    assert (retired(1).purge_on - retired(1).retired_on).days == 30


def test_a_place_was_seen_whole_unless_it_says_otherwise():
    assert PlaceLookedAt(place="p", before=3, after=0).sees_old_versions
