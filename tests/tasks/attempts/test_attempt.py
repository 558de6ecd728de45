"""Bad input on the streamed path: a typed error with a remedy, and no candidate written."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from deltalake import write_deltalake
from tables import rows, subject
from torch import nn

from tasks.attempts import attempt as attempt_events
from tasks.attempts import candidates, evidence, inputs, planning, promotion
from tasks.datasets.rows import TableRows
from tasks.datasets.spec import DatasetSpec
from tasks.enrolling import gradient_ledgers
from tasks.models.enrollment import Enrollment, ledger_key, record_enrollment, stream
from tasks.store import journal
from tasks.tables import delta
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import (
    ConflictError,
    DataError,
    DivergenceError,
    SnapshotChangedError,
    StaleLedgerError,
)
from unlearning.evidence.evidence import Pool
from unlearning.gate.gate_checks import check
from unlearning.methods.gradient_ledger import Ledger
from unlearning.model.gradients import mean_gradient
from unlearning.model.weights import model_digest
from unlearning.policy.budget import Deletions
from unlearning.policy.digests import facts_digest

FORGOTTEN = [subject(i) for i in range(10)]


class World:
    """A table, an enrolled linear model and a batch of ten subjects."""

    def __init__(self, store, folder, table, monkeypatch, *, method="theory_step"):
        self.store, self.uri = store, (folder / "t").as_uri()
        self.module = nn.Linear(40, 2)
        write_deltalake(self.uri, table)
        holdout = (folder / "h").as_uri()
        write_deltalake(holdout, rows(50, first=500, seed=7))
        self.enrollment = Enrollment(
            model="income",
            version=1,
            digest=model_digest(self.module.state_dict()),
            dataset=DatasetSpec(self.uri, ("features",), "label", "subject_id"),
            dataset_version=0,
            row_count=table.num_rows,
            holdout=holdout,
            unlearning=UnlearningConfig(method=method, retain_sample=20, holdout_sample=20),
            policy=GatePolicy(),
            deletions=Deletions(trained_rows=table.num_rows),
        )
        record_enrollment(store, self.enrollment)
        monkeypatch.setattr(
            inputs, "load_model", lambda *_, **__: SimpleNamespace(module=self.module)
        )
        monkeypatch.setattr(attempt_events.batches, "subjects", lambda *_: FORGOTTEN)

    def plan(self):
        forget = inputs.forget_rows(self.store, "b", self.enrollment)
        return planning._new_attempt(
            "b", self.enrollment, forget, attempt_events.config_digest(self.store, "income")
        )

    def candidate_keys(self):
        return [i.key for i in self.store.list_objects("candidates/")]


@pytest.fixture
def world(store, tmp_path, monkeypatch):
    torch.manual_seed(0)

    def build(table=None, **options):
        table = rows(100, seed=1) if table is None else table
        return World(store, tmp_path, table, monkeypatch, **options)

    return build


def refused(world, attempt, error, match):
    with pytest.raises(error, match=match):
        candidates.make_candidate(world.store, attempt)
    assert world.candidate_keys() == []


def test_a_planned_attempt_makes_a_candidate_and_a_ledger_of_the_whole_table(world):
    here = world()
    made = candidates.make_candidate(here.store, here.plan())
    assert here.candidate_keys() == [made["candidate"]]
    assert gradient_ledgers.read_ledger(here.store, here.enrollment).gradient.row_count == 100


def one_sided(count):
    """A table of 200 rows, half of them of class 1, and so many of those of subjects to forget."""
    table = rows(200, seed=1)
    labels = [1] * count + [0] * (100) + [1] * (100 - count)
    return table.set_column(1, "label", pa.array(labels, pa.int64()))


@pytest.mark.parametrize("method", ["calibrated", "retrain"])
@pytest.mark.parametrize(("limit", "is_suspicious"), [(0.1, False), (0.09, True)])
def test_a_one_sided_batch_is_retrained_with_the_reason(world, method, limit, is_suspicious):
    here = world(one_sided(10), method=method)
    budget = DeletionBudget(max_share=0.05, max_class_share=limit)
    here.enrollment = replace(here.enrollment, budget=budget)
    plan = here.plan()
    if method == "retrain":
        assert (plan.rung, plan.reason, plan.class_share) == ("update", "", None)
        return
    assert plan.class_share == 0.1
    assert (plan.method, plan.rung) == (("retrain",) * 2 if is_suspicious else (method, "update"))
    expected = "10.0% of the training rows of class 1 approximately; at most 9.0%"
    assert (expected in plan.reason) is is_suspicious


def test_an_approval_holds_whatever_the_share_of_a_class(world):
    plan = world().plan()
    assert attempt_events.plan_digest(plan) == attempt_events.plan_digest(
        replace(plan, class_share=0.5)
    )


def test_rows_that_changed_since_planning_are_refused(world):
    here = world()
    attempt = here.plan()
    refused(here, replace(attempt, forget_digest="0"), SnapshotChangedError, "restore that version")
    refused(here, replace(attempt, forget_count=9), SnapshotChangedError, "restore that version")


def test_subjects_without_a_row_are_refused(world, monkeypatch):
    here = world()
    attempt = here.plan()
    monkeypatch.setattr(attempt_events.batches, "subjects", lambda *_: ["nobody"])
    refused(here, attempt, SnapshotChangedError, "changed since they were planned")


def test_other_weights_than_were_enrolled_are_refused(world):
    here = world()
    attempt = here.plan()
    here.module = nn.Linear(40, 2)
    refused(here, attempt, ConflictError, "expunge enroll income")


def test_a_ledger_of_fewer_rows_than_are_to_be_forgotten_is_refused(world, monkeypatch):
    here = world()
    few = TableRows(here.enrollment.dataset, 0, only=FORGOTTEN[:5])
    ledger = Ledger(
        mean_gradient(here.module, few, chunk_size=8),
        model_digest=here.enrollment.digest,
        dataset=here.enrollment.snapshot,
    )
    monkeypatch.setattr(candidates, "read_ledger", lambda *_: ledger)
    refused(here, here.plan(), DataError, "10 rows and the ledger 5")


def test_a_stale_ledger_is_refused(world):
    here = world()
    candidate = here.plan()
    gradient_ledgers.store_ledger(here.store, here.enrollment, here.module)
    data = here.store.get(ledger_key(here.enrollment))
    elsewhere = here.enrollment.snapshot.replace("@0", "@8")
    here.store.put(
        ledger_key(here.enrollment),
        data.replace(here.enrollment.snapshot.encode(), elsewhere.encode()),
    )
    refused(here, candidate, StaleLedgerError, "build a new ledger")


@pytest.mark.parametrize("method", ["theory_step", "published_step", "calibrated"])
def test_a_label_outside_the_classes_is_refused(world, method):
    table = rows(100, seed=1)
    labels = table["label"].to_numpy().copy()
    labels[3] = 2
    here = world(table.set_column(1, "label", pa.array(labels)), method=method)
    refused(here, here.plan(), DataError, "classes")


@pytest.mark.parametrize("method", ["theory_step", "calibrated"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_refused(world, method, value):
    table = rows(100, seed=1)
    values = np.stack(table["features"].to_numpy()).astype(np.float32)
    values[3, 5] = value
    listed = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 40)
    here = world(table.set_column(2, "features", listed), method=method)
    refused(here, here.plan(), DivergenceError, "finite")


def test_an_example_that_is_a_row_to_forget_is_replaced(world):
    here = world()
    forget = TableRows(here.enrollment.dataset, 0, only=FORGOTTEN)
    ((inputs, _),) = forget.chunks(100)
    mine, free = inputs[6:8].numpy(), np.full((2, 40), 3, np.float32)
    assert not promotion._example(mine, forget).any()
    assert promotion._example(free, forget) is free
    assert promotion._example(None, forget).shape == (2, 40)


def test_a_plan_over_a_holdout_that_another_batch_purged_is_made_anew(world, monkeypatch):
    here = world()
    monkeypatch.setattr(planning, "alias_version", lambda _: 1)
    first = planning.plan(here.store, "b", "income")
    assert planning.plan(here.store, "b", "income") == first
    uri = here.enrollment.holdout
    delta.delete_rows(uri, "subject_id", [subject(500)])
    assert planning.plan(here.store, "b", "income") == first  # its files are still there
    delta.vacuum(uri)
    second = planning.plan(here.store, "b", "income")
    assert second.holdout_version > first.holdout_version
    assert planning.plan(here.store, "b", "income") == second


@pytest.mark.parametrize(
    ("failed", "is_made_anew"),
    [([], True), (["attack_power"], True), (["attack_power", "mia_auc_upper"], False)],
)
def test_a_batch_blocked_for_want_of_rows_is_planned_anew_once_the_holdout_has_more(
    world, monkeypatch, failed, is_made_anew
):
    here = world()
    monkeypatch.setattr(planning, "alias_version", lambda _: 1)
    first = planning.plan(here.store, "b", "income")
    checks = [asdict(check(name, None, meaning="No.")) for name in failed]
    judged = {"model": "income", "passed": False, "checks": checks, "outcome": "cannot decide"}
    for event in ("BatchFrozen", "BatchValidated", "RowsResolved"):
        journal.append(here.store, journal.Entry("batches/b", event, event, {}))
    for step, event, facts in (
        ("judged", "CandidateRejected", judged),
        ("blocked", "BatchBlocked", {"model": "income"}),
    )[0 if failed else 1 :]:
        journal.append(here.store, attempt_events.entry(first, step, event, facts))
    assert planning.plan(here.store, "b", "income") == first
    delta.delete_rows(here.enrollment.holdout, "subject_id", [subject(500)])
    assert planning.plan(here.store, "b", "income") == first  # a newer one with fewer rows
    write_deltalake(here.enrollment.holdout, rows(50, first=600, seed=8), mode="append")
    again = planning.plan(here.store, "b", "income")
    assert (again.holdout_version > first.holdout_version) == is_made_anew
    assert attempt_events.plan_digest(again) == attempt_events.plan_digest(
        first
    )  # an approval holds


def test_a_blocked_attempt_that_was_registered_since_is_finished(world, monkeypatch):
    here = world()
    monkeypatch.setattr(planning, "alias_version", lambda _: 1)
    first = planning.plan(here.store, "b", "income")
    for event in ("BatchFrozen", "BatchValidated", "RowsResolved"):
        journal.append(here.store, journal.Entry("batches/b", event, event, {}))
    blocked, registered = {"model": "income"}, {"version": 2}
    journal.append(here.store, attempt_events.entry(first, "blocked", "BatchBlocked", blocked))
    journal.append(
        here.store, attempt_events.entry(first, "registered", "VersionRegistered", registered)
    )
    write_deltalake(here.enrollment.holdout, rows(50, first=600, seed=8), mode="append")
    monkeypatch.setattr(planning, "alias_version", lambda _: 2)
    assert planning.plan(here.store, "b", "income") == first


def test_what_other_weights_forgot_vouches_for_nothing_and_no_row_counts_twice(world):
    here = world()
    attempt = here.plan()
    name = stream("income")

    def measured(number, batch, after):
        facts = {"batch": batch, "method": attempt.method, "rung": "update", "attack": "loss"}
        facts |= {"config": attempt.config_digest, "own": asdict(Pool(count=1, after=after))}
        happen(f"a-{number}/measured", "ForgettingMeasured", facts)

    def happen(key, event, facts):
        journal.append(here.store, journal.Entry(name, key, event, facts))

    def promoted(number, batch):
        facts = {"batch": batch, "version": number, "digest": f"d{number}", "attempt": "a"}
        happen(f"a-{number}/promoted", "ChampionPromoted", facts)

    measured(1, "b-1", 0.9)
    measured(2, "b-1", 0.4)
    measured(3, "b-open", 0.3)
    promoted(2, "b-1")
    assert evidence._earlier(here.store, attempt) == [("loss", Pool(count=1, after=0.4))]
    # With other options.
    record_enrollment(here.store, replace(here.enrollment, version=2, digest="d2"))
    assert len(evidence._earlier(here.store, attempt)) == 1
    record_enrollment(here.store, replace(here.enrollment, version=3, digest="trained anew"))
    assert evidence._earlier(here.store, attempt) == []


def test_a_plan_outlives_an_upgrade_that_adds_options_and_no_change_of_the_model(
    world, monkeypatch
):
    here = world()
    monkeypatch.setattr(planning, "alias_version", lambda _: 1)
    facts = asdict(here.enrollment)
    for part, option in (("policy", "max_possible_loss"), ("budget", "max_class_share")):
        del facts[part][option]  # as a release before that option recorded it
    name = stream("income")
    journal.append(here.store, journal.Entry(name, "enrolled/0", "ModelEnrolled", facts))
    plan = planning.plan(here.store, "b", "income")
    of_then = {part: facts[part] for part in ("unlearning", "policy", "budget")}
    assert plan.config_digest == facts_digest(of_then)
    record_enrollment(here.store, replace(here.enrollment, policy=GatePolicy(min_power=0.9)))
    assert planning.plan(here.store, "b", "income").key != plan.key
    record_enrollment(here.store, here.enrollment)
    now = attempt_events.config_digest(here.store, "income")
    assert now == facts_digest({part: asdict(here.enrollment)[part] for part in of_then})
