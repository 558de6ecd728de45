import shutil

import pytest
from deltalake import DeltaTable, write_deltalake
from factories import dataset, enrollment
from small_tables import MARK, rows, subject

from tasks.journal.histories.ties import tie_of
from tasks.subjects.reappearance import fingerprint
from tasks.subjects.rosters import is_in_place, keep_roster, read_roster, shortened
from tasks.tables import deletion
from tasks.tables.delta import open_table
from unlearning.policy.digests import pseudonym


@pytest.fixture
def tie(services, tmp_path):
    place = (tmp_path / "t").as_uri()
    write_deltalake(place, rows(20, seed=1))
    files = fingerprint(open_table(services.settings, place))
    return tie_of(enrollment(dataset=dataset(uri=place), fingerprint=files))


def named(services, number):
    return pseudonym(services.settings.pseudonym_secret(), subject(number))


def test_a_roster_says_whose_rows_were_learned_and_names_nobody(services, tie):
    assert read_roster(services, "income", tie) is None
    keep_roster(services, "income", tie, without=[named(services, 3)])
    before = list(services.store.list_objects("rosters/"))
    shutil.rmtree(tie.dataset.uri.removeprefix("file://"))
    keep_roster(services, "income", tie)  # it is there already
    assert list(services.store.list_objects("rosters/")) == before
    (info,) = before
    assert MARK.encode() not in services.store.get(info.key)
    assert info.size == 19 * 16
    roster = read_roster(services, "income", tie)
    counts = [len(roster.of(shortened([named(services, n)]))) for n in (2, 3, 900)]
    assert counts == [1, 0, 0]
    assert len(roster.without(shortened([named(services, 2)]))) == 18
    assert read_roster(services, "other", tie) is None


def test_a_snapshot_is_in_place_with_its_own_files_and_all_of_them(services, tie):
    uri = tie.dataset.uri
    assert is_in_place(services, tie)
    DeltaTable(uri).delete(f"subject_id = '{subject(3)}'")
    assert is_in_place(services, tie)
    deletion.vacuum(services.settings, uri)
    assert not is_in_place(services, tie)
    shutil.rmtree(uri.removeprefix("file://"))
    assert not is_in_place(services, tie)
    write_deltalake(uri, rows(20, seed=2))
    assert not is_in_place(services, tie)
