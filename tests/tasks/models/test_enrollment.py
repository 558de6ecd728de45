from dataclasses import asdict, replace

from tasks.datasets.spec import DatasetSpec
from tasks.models.enrollment import Enrollment, read_enrollment, record_enrollment, stream
from tasks.store import journal
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.budget import Deletions

ENROLLED = Enrollment(
    model="income",
    version=1,
    digest="d1",
    dataset=DatasetSpec("file:///t", ("features",), "label", "subject_id"),
    dataset_version=0,
    row_count=100,
    holdout="file:///h",
    unlearning=UnlearningConfig(),
    policy=GatePolicy(),
    deletions=Deletions(trained_rows=100),
)


def promote(store, version: int, method: str, count: int) -> None:
    facts = {
        "version": version, "digest": f"d{version}", "forget_count": count, "method": method,
    }  # fmt: skip
    name = stream("income")
    journal.append(store, journal.Entry(name, f"p{version}", "ChampionPromoted", facts))
    left = read_enrollment(store, "income").row_count - count
    facts = {"dataset_version": version, "row_count": left}
    journal.append(store, journal.Entry(name, f"s{version}", "SnapshotAdvanced", facts))


def test_updates_add_up_until_a_retrain(store):
    record_enrollment(store, ENROLLED)
    assert read_enrollment(store, "income") == ENROLLED
    promote(store, 2, "calibrated", 5)
    promote(store, 3, "calibrated", 7)
    found = read_enrollment(store, "income").deletions
    assert found == Deletions(trained_rows=100, forgotten=12, updates=2)
    promote(store, 4, "retrain", 8)
    assert read_enrollment(store, "income").deletions == Deletions(trained_rows=80)


def test_a_retrain_counts_the_rows_that_it_learned_from(store):
    record_enrollment(store, ENROLLED)
    facts = {"version": 2, "digest": "d2", "forget_count": 8, "method": "retrain"}
    facts["trained_rows"] = 89  # three more were forgotten before and are still in the table
    name = stream("income")
    journal.append(store, journal.Entry(name, "p2", "ChampionPromoted", facts))
    assert read_enrollment(store, "income").deletions == Deletions(trained_rows=89)


def test_only_other_weights_give_the_budget_back(store):
    record_enrollment(store, ENROLLED)
    promote(store, 2, "calibrated", 5)
    spent = Deletions(trained_rows=100, forgotten=5, updates=1)
    again = replace(ENROLLED, version=2, digest="d2", budget=DeletionBudget(max_share=0.5))
    again = replace(again, approval=ApprovalPolicy(max_rows=7, always=True))
    record_enrollment(store, replace(again, deletions=Deletions(trained_rows=95)))
    found = read_enrollment(store, "income")
    assert (found.deletions, found.budget.max_share) == (spent, 0.5)
    assert found.approval == ApprovalPolicy(max_rows=7, always=True)
    record_enrollment(store, replace(again, digest="retrained elsewhere"))
    assert read_enrollment(store, "income").deletions == Deletions(trained_rows=100)


def test_an_entry_of_an_older_release_still_loads(store):
    facts = asdict(ENROLLED)
    del facts["deletions"], facts["budget"], facts["approval"], facts["unlearning"]["retraining"]
    journal.append(store, journal.Entry(stream("income"), "enrolled/1", "ModelEnrolled", facts))
    assert read_enrollment(store, "income") == ENROLLED
