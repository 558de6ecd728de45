from factories import attempt, measured, promotion

from tasks.journal.events.models import SnapshotAdvanced, SnapshotRestored


def test_an_advance_is_no_restore():
    facts = {"dataset_version": 1, "row_count": 9, "fingerprint": "f"}
    advanced = SnapshotAdvanced(**facts, batch="b-1")
    assert advanced != SnapshotRestored(**facts, version_before=3, erased_rows=2)


def test_a_promotion_names_its_batch_and_parent():
    facts = promotion(attempt(batch="b-7", parent_version=4), version=5)
    assert (facts.batch, facts.parent_version, facts.version) == ("b-7", 4, 5)
    assert facts.trained_rows is None


def test_a_measure_names_how_its_candidate_was_made():
    facts = measured(attempt(method="retrain", rung="retrain"))
    assert (facts.method, facts.rung) == ("retrain", "retrain")
