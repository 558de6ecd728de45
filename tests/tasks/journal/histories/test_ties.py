from dataclasses import replace

from factories import HOLDOUT, TABLE, dataset, enrollment

from tasks.journal.events.models import TableClosed
from tasks.journal.histories.ties import TiesHistory, tie_of


def versions(history, digest):
    return [one.version for one in history.of(digest)]


def history_of(*enrollments):
    history, before = TiesHistory(), None
    for one in enrollments:
        history.enrolled(one, before, "2026-01-01")
        before = one
    return history


def test_known_weights_keep_what_they_learned_wherever_they_are_enrolled():
    history = history_of(*(enrollment(dataset_version=version) for version in (0, 0, 3)))
    assert versions(history, "d1") == [0, 3]
    assert tie_of(enrollment()).snapshot == f"{TABLE}@0"


def test_weights_enrolled_again_where_an_erasure_left_them_have_learned_nothing_more():
    kept = enrollment(has_roster=True)
    history, moved = history_of(kept), replace(kept, dataset_version=3)
    history.moved(kept, moved)
    history.enrolled(moved, moved, "2026-01-02")
    assert versions(history, "d1") == [0]


def test_of_an_earlier_release_only_where_an_erasure_left_the_rows_is_known():
    known = enrollment()
    history = history_of(known)
    history.moved(known, replace(known, dataset_version=3))
    assert versions(history, "d1") == [3]


def test_an_update_keeps_what_its_parent_learned_and_a_retrain_learned_from_its_snapshot():
    history = history_of(*(enrollment(dataset_version=version) for version in (0, 3)))
    history.updated("d1", "d2")
    history.retrained(enrollment(dataset_version=3), "d3", "2026-01-02", has_roster=True)
    assert (versions(history, "d2"), versions(history, "d3")) == ([0, 3], [3])
    assert [(one.digest, one.has_roster) for one in history.of("d3")] == [("d3", True)]


def test_a_table_is_searched_until_it_is_closed_and_again_once_it_is_enrolled():
    first, second = enrollment(), enrollment(digest="d2", dataset=dataset(uri="file:///next"))
    history = history_of(first, second)
    assert set(history.open_columns) == {TABLE, HOLDOUT, "file:///next"}
    history.closed[TABLE] = TableClosed(table=TABLE, name="Ada", reason="gone")
    assert set(history.open_columns) == {HOLDOUT, "file:///next"}
    assert versions(history, "d1") == [0]
    assert history.digests_on(TABLE) == {"d1"}
    history.enrolled(replace(first, version=3), second, "2026-01-02")
    assert TABLE in history.open_columns


def test_a_column_in_whose_place_another_came_stays_on_record_until_the_table_is_closed():
    first, second = enrollment(), enrollment(dataset=dataset(subject="boss", subject_kind="staff"))
    history = history_of(first, second)
    of_persons, of_staff = ("subject_id", "person"), ("boss", "staff")
    assert history.columns[TABLE] == of_staff
    assert history.on_record == {uri: {of_persons, of_staff} for uri in (TABLE, HOLDOUT)}
    assert history.kinds == {"person", "staff"}
    history.closed[TABLE] = TableClosed(table=TABLE, name="Ada", reason="gone")
    assert set(history.on_record) == {HOLDOUT}
    history.enrolled(second, second, "2026-01-02")
    assert history.on_record == {TABLE: {of_staff}, HOLDOUT: {of_persons, of_staff}}
    assert history.kinds == {"person", "staff"}
