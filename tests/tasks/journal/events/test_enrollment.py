from factories import HOLDOUT, TABLE, enrollment


def test_a_snapshot_names_table_and_version():
    assert enrollment(dataset_version=3).snapshot == f"{TABLE}@3"


def test_subjects_are_looked_for_in_both_tables():
    assert enrollment().tables == [TABLE, HOLDOUT]


def test_a_ledger_belongs_to_weights_and_snapshot():
    keys = {
        enrollment().ledger_key,
        enrollment(digest="d2").ledger_key,
        enrollment(dataset_version=1).ledger_key,
    }
    assert len(keys) == 3
    assert enrollment(version=9).ledger_key == enrollment().ledger_key
