from dataclasses import replace

from factories import HOLDOUT, TABLE, dataset, enrollment

from tasks.journal.events.models import TableClosed
from tasks.journal.histories.ties import TiesHistory, tie_of


def versions(history, digest):
    return [one.version for one in history.of(digest)]


def test_known_weights_keep_what_they_learned_wherever_they_are_enrolled():
    history = TiesHistory()
    for version in (0, 0, 3):
        history.enrolled(enrollment(dataset_version=version))
    assert versions(history, "d1") == [0, 3]
    assert tie_of(enrollment()).snapshot == f"{TABLE}@0"


def test_an_update_keeps_what_its_parent_learned_and_a_retrain_learned_from_its_snapshot():
    history = TiesHistory()
    for version in (0, 3):
        history.enrolled(enrollment(dataset_version=version))
    history.promoted(enrollment(dataset_version=3), "d2", is_retrained=False)
    history.promoted(enrollment(dataset_version=3), "d3", is_retrained=True)
    assert (versions(history, "d2"), versions(history, "d3")) == ([0, 3], [3])


def test_a_table_is_searched_until_it_is_closed_and_again_once_it_is_enrolled():
    history = TiesHistory()
    first, second = enrollment(), enrollment(digest="d2", dataset=dataset(uri="file:///next"))
    history.enrolled(first)
    history.enrolled(second)
    assert set(history.open_columns) == {TABLE, HOLDOUT, "file:///next"}
    history.closed[TABLE] = TableClosed(table=TABLE, name="Ada", reason="gone")
    assert set(history.open_columns) == {HOLDOUT, "file:///next"}
    assert history.of("d1") == []
    assert history.digests_on(TABLE) == {"d1"}
    history.enrolled(replace(first, version=3))
    assert TABLE in history.open_columns
