import pytest
from deltalake import DeltaTable, write_deltalake
from factories import dataset, enrollment
from small_tables import rows, subject

from tasks.journal.histories.ties import tie_of
from tasks.journal.reading import read_enrollment, record_enrollment
from tasks.subjects.learned_rows import missing_rows, search_rosters, unreadable_rows
from tasks.subjects.rosters import keep_roster
from tasks.subjects.tied_tables import learned
from tasks.tables import deletion


@pytest.fixture
def place(services, tmp_path):
    uri = (tmp_path / "t").as_uri()
    write_deltalake(uri, rows(20, seed=1))
    return uri


def enrolled(services, place, *, version=0, has_roster=True):
    """Weights that learned the first version, enrolled on this one."""
    known = enrollment(dataset=dataset(uri=place), holdout=place, has_roster=has_roster)
    if has_roster:
        keep_roster(services, "income", tie_of(known))
    record_enrollment(services.journal, known)
    DeltaTable(place).delete(f"subject_id = '{subject(3)}'")
    write_deltalake(place, rows(1, first=900), mode="append")
    deletion.vacuum(services.settings, place)
    if version:
        again = enrollment(dataset=dataset(uri=place), holdout=place, dataset_version=version)
        record_enrollment(services.journal, again)
    return read_enrollment(services.journal, "income")


def test_whose_rows_are_gone_is_known_by_the_roster(services, place):
    now = enrolled(services, place, version=2)
    asked = {3: 1, 4: 0, 900: 0}
    found = {n: unreadable_rows(services, "b", now, [subject(n)]).rows for n in asked}
    assert found == asked
    assert not unreadable_rows(services, "b", now, [])
    assert missing_rows(services, now) == 1
    ties = [one for one in learned(services) if one.tie.version == 0]
    wanted = {subject(3), subject(950)}
    assert search_rosters(services, "b", ties, wanted, "person") == ({subject(3)}, ())


def test_without_a_roster_nobody_can_tell(services, place):
    now = enrolled(services, place, version=2, has_roster=False)
    lost = unreadable_rows(services, "b", now, [subject(950)])
    assert lost
    assert not lost.is_certain
    assert missing_rows(services, now) is None
    ties = [one for one in learned(services) if one.tie.version == 0]
    found, silent = search_rosters(services, "b", ties, {subject(3)}, "person")
    assert (found, silent) == (set(), (f"income, trained on {place}@0",))
