"""Rows that one model forgot while another kept their batch from being erased."""

from dataclasses import replace

import pytest
from tables import rows, subject, write_tables
from torch import nn

from tasks.attempts import candidates, inputs, planning
from tasks.attempts.already_forgotten import forgotten_by, forgotten_subjects
from tasks.datasets.spec import DatasetSpec
from tasks.erasure import erasure
from tasks.intake import batches
from tasks.models.enrollment import Enrollment, read_enrollment, record_enrollment, stream
from tasks.records.certified_models import certified_models, models_for, note_out_of_service
from tasks.store import journal
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.policy.budget import Deletions
from unlearning.policy.deletion import Disposition

OLD, NEW = "b-old", "b-new"
MEMBERS = {OLD: range(3), NEW: range(5)}
"""The new batch took over the three requests of the old one and has two of its own."""


class World:
    def __init__(self, store, folder, monkeypatch):
        self.store = store
        train, holdout = (f"file://{p}" for p in write_tables(folder, train=50, holdout=20))
        self.enrollment = Enrollment(
            model="income",
            version=1,
            digest="d1",
            dataset=DatasetSpec(train, ("features",), "label", "subject_id"),
            dataset_version=0,
            row_count=50,
            holdout=holdout,
            unlearning=UnlearningConfig(),
            policy=GatePolicy(),
            deletions=Deletions(trained_rows=50),
        )
        record_enrollment(store, self.enrollment)
        self.members = {name: list(numbers) for name, numbers in MEMBERS.items()}
        for batch in MEMBERS:
            self.happen(batch, "frozen", "BatchFrozen")
        monkeypatch.setattr(planning, "alias_version", lambda _: self.champion)
        monkeypatch.setattr(batches, "subjects_by_record", self.subjects)
        monkeypatch.setattr(batches, "dispositions", self.dispositions)
        self.champion = 1

    def subjects(self, _, batch, records=None):
        wanted = records or [d.record_id for d in batches.accepted(self.store, batch)]
        return {record: subject(int(record[2:])) for record in wanted}

    def dispositions(self, _, batch):
        return [
            Disposition(f"f-{n:06d}", f"R-{n}", "accepted", "", subject=f"p-{n}")
            for n in self.members[batch]
        ]

    def withhold(self, batch, *numbers):
        records = [f"f-{n:06d}" for n in numbers]
        self.happen(batch, f"withheld/{numbers}", "RequestsWithheld", records=records)

    def answer(self, *numbers):
        for n in numbers:
            for event in ("RequestAccepted", "RequestErased"):
                entry = journal.Entry(f"requests/f-{n:06d}", event, event, {})
                journal.append(self.store, entry)

    def happen(self, batch, key, event, **facts):
        entry = journal.Entry(batches.stream(batch), key, event, facts)
        return journal.append(self.store, entry)

    def promote(self, batch, version, model="income"):
        """As a run promotes: planned, measured, judged, alias moved, told to the model."""
        attempt = planning.plan(self.store, batch, model)
        key, before = attempt.key, {"mia_auc": 0.6}
        self.happen(batch, f"{key}/evaluated", "CandidateEvaluated", before=before, after=before)
        self.happen(batch, f"{key}/judged", "CandidateAccepted", checks=[], outcome="forgotten")
        facts = {"model": model, "attempt": key, "version": version, "digest": f"d{version}"}
        self.happen(batch, f"{key}/promoted", "ChampionPromoted", **facts)
        facts |= {"batch": batch, "forget_count": attempt.forget_count, "method": attempt.method}
        name = stream(model)
        journal.append(
            self.store, journal.Entry(name, f"{key}/promoted", "ChampionPromoted", facts)
        )
        self.champion = version
        return attempt

    def plan(self, batch):
        return planning.plan(self.store, batch, "income")

    def enrolled(self):
        return read_enrollment(self.store, "income")


@pytest.fixture
def world(store, tmp_path, monkeypatch):
    return World(store, tmp_path, monkeypatch)


def test_a_later_batch_asks_a_model_for_the_rest_only(world):
    world.promote(OLD, 2)
    plan = world.plan(NEW)
    assert (plan.parent_version, plan.forget_count) == (2, 2)
    assert forgotten_subjects(world.store, world.enrolled()) == {subject(n) for n in range(3)}


def test_rows_forgotten_and_not_erased_teach_nobody_again(world):
    world.promote(OLD, 2)
    kept = inputs.kept_rows(world.store, world.plan(NEW), world.enrolled())
    assert kept.count == 50 - 5
    world.members[NEW] = [9]
    other = inputs.kept_rows(world.store, world.plan(NEW), world.enrolled())
    assert other.count == 50 - 1 - 3


def test_a_retrain_tells_how_many_rows_it_learned_from(world, monkeypatch):
    world.promote(OLD, 2)
    parent = nn.Linear(40, 2)
    monkeypatch.setattr(candidates, "inputs", lambda *_: (world.enrolled(), parent, None))
    plan = world.plan(NEW)
    state = nn.Linear(40, 2).state_dict()
    told = candidates._retrained(world.store, replace(plan, method="retrain"), state)
    # The batch forgets two rows more than the three that wait for their erasure.
    assert (plan.forget_count, told["trained_rows"]) == (2, 50 - 3 - 2)
    assert candidates._retrained(world.store, plan, state) == {"kept_from_parent": []}


def test_a_batch_whose_every_row_was_forgotten_before_plans_nothing(world):
    world.members[NEW] = list(range(3))
    world.promote(OLD, 2)
    assert world.plan(NEW) is None
    assert world.plan(NEW) is None
    events = [e.name for e in journal.read(world.store, batches.stream(NEW))]
    assert events.count("ModelForgotBefore") == 1
    assert "ModelUntouched" not in events


def test_each_request_is_answered_by_the_attempt_that_forgot_its_rows(world):
    first = world.promote(OLD, 2)
    second = world.promote(NEW, 3)
    found = certified_models(world.store, NEW)
    tables = {world.enrollment.dataset.uri}
    (old,) = models_for(found, "f-000001", tables)
    (new,) = models_for(found, "f-000004", tables)
    assert (old["version"], old["in_batch"], old["forget_count"]) == (2, OLD, 3)
    assert (new["version"], new["forget_count"]) == (3, 2)
    assert (old["forget_digest"], new["forget_digest"]) == (
        first.forget_digest,
        second.forget_digest,
    )
    assert models_for(found, "f-000004", {"file:///another"}) == []


def test_erased_rows_are_nobodys_concern_any_more(world):
    world.promote(OLD, 2)
    assert [one.batch for one in forgotten_by(world.store, world.enrolled())] == [OLD]
    world.happen(OLD, "validated", "BatchValidated")
    world.happen(OLD, "blocked", "BatchBlocked")
    world.happen(OLD, "superseded", "BatchSuperseded", by=NEW)
    assert [one.batch for one in forgotten_by(world.store, world.enrolled())] == [OLD]
    world.happen(NEW, "validated", "BatchValidated")
    world.happen(NEW, "closed", "BatchClosed")
    assert forgotten_by(world.store, world.enrolled()) == []


def test_a_request_withheld_after_the_promotion_is_not_asked_for_again(world):
    first = world.promote(OLD, 2)
    world.withhold(OLD, 1)
    world.answer(0, 2)
    world.happen(OLD, "validated", "BatchValidated")
    world.happen(OLD, "closed", "BatchClosed")
    assert forgotten_subjects(world.store, world.enrolled()) == {subject(1)}
    world.members[NEW] = [1, 3]
    assert world.plan(NEW).forget_count == 1
    found = certified_models(world.store, NEW)
    (part,) = models_for(found, "f-000001", {world.enrollment.dataset.uri})
    assert (part["version"], part["forget_digest"]) == (2, first.forget_digest)
    world.answer(1)
    assert forgotten_by(world.store, world.enrolled()) == []


def test_a_request_withheld_before_the_plan_was_not_forgotten(world):
    world.withhold(OLD, 1)
    world.promote(OLD, 2)
    assert forgotten_subjects(world.store, world.enrolled()) == {subject(0), subject(2)}
    assert world.plan(NEW).forget_count == 3


def test_weights_of_another_origin_have_forgotten_nothing(world):
    world.promote(OLD, 2)
    record_enrollment(world.store, replace(world.enrolled(), policy=GatePolicy(min_power=0.5)))
    assert forgotten_by(world.store, world.enrolled())
    record_enrollment(world.store, replace(world.enrollment, version=9, digest="trained anew"))
    assert forgotten_by(world.store, world.enrolled()) == []
    world.champion = 9
    assert world.plan(NEW).forget_count == 5


def test_a_model_that_was_withdrawn_before_is_named_in_later_certificates(world):
    withdrawn = {"attempt": "a-1", "batch": OLD}
    entry = journal.Entry(stream("income"), "a-1/withdrawn", "ModelWithdrawn", withdrawn)
    journal.append(world.store, entry)
    table = world.enrollment.dataset.uri
    for batch, named in ((OLD, 0), (NEW, 1)):
        for _ in range(2):
            note_out_of_service(world.store, batch, table)
            note_out_of_service(world.store, batch, "file:///another")
        found = models_for(certified_models(world.store, batch), "f-000001", {table})
        assert len(found) == named
    assert found[0]["outcome"] == "out of service"
    assert OLD in found[0]["reason"]
    assert found[0]["parent_digest"] == "d1"


def test_advancing_the_models_of_a_table_notes_those_out_of_service(world, monkeypatch):
    monkeypatch.setattr(erasure.mlflow_registry, "tag_version", lambda *_: None)
    entry = journal.Entry(stream("income"), "a-1/withdrawn", "ModelWithdrawn", {"batch": OLD})
    journal.append(world.store, entry)
    table = world.enrollment.dataset.uri
    key = erasure._key("purged", table)
    world.happen(NEW, key, "FilesPurged", table=table, version=0, rows=50)
    assert erasure.advance_models(world.store, NEW, table) == ["income"]
    assert "ModelOutOfService" in [e.name for e in journal.read(world.store, batches.stream(NEW))]


def test_rows_of_the_tests_are_one_per_subject():
    assert rows(5)["subject_id"].to_pylist() == [subject(n) for n in range(5)]
