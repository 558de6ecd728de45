from factories import TABLE, dataset, enrollment

from tasks.erasure.former_versions import note_former
from tasks.journal.reading import read_model, record_enrollment


def test_only_earlier_weights_on_the_table_are_noted_and_once(services):
    record_enrollment(services.journal, enrollment())
    note_former(services, "b-1", TABLE)
    assert read_model(services.journal, "income").ties.former == []
    other = enrollment(version=2, digest="d2", dataset=dataset(uri="file:///next"))
    record_enrollment(services.journal, other)
    for _ in range(2):
        note_former(services, "b-1", TABLE)
    history = read_model(services.journal, "income")
    assert [one.batch for one in history.ties.former] == ["b-1"]
    assert history.weights.below == {(1, "d1")}
    assert [end.parent_version for end in history.ends] == [1]
