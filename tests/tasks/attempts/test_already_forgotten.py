"""Rows that one model forgot while another kept their batch from being erased."""

from dataclasses import replace
from typing import Any

import factories
import pytest
from factories import disposition, evaluated, frozen, promotion, validated
from small_tables import subject, write_tables

from tasks.attempts import inputs, planning
from tasks.attempts.already_forgotten import (
    forgotten_by,
    forgotten_subjects,
    note_forgotten,
    note_settled,
)
from tasks.certificates.certified_models import certified_models, models_for
from tasks.intake import batches
from tasks.journal.events import ids
from tasks.journal.events.attempts import (
    BatchBlocked,
    CandidateAccepted,
    CandidateMade,
    VersionPromoted,
)
from tasks.journal.events.batches import (
    BatchClosed,
    BatchSuperseded,
    NothingLeftToForget,
)
from tasks.journal.events.catalog import batch_stream, model_stream, request_stream
from tasks.journal.events.models import ForgettingSettled
from tasks.journal.events.requests import RequestAccepted, RequestErased
from tasks.journal.events.withheld import RequestsWithheld
from tasks.journal.reading import read_batch, read_enrollment, read_model, record_enrollment
from tasks.registry.mlflow_registry import Registry
from unlearning.config.gate_policy import GatePolicy
from unlearning.policy.budget import Deletions

OLD, NEW = "b-old", "b-new"
MEMBERS = {OLD: range(3), NEW: range(5)}
"""The new batch took over the three requests of the old one and has two of its own."""


class TwoBatches:
    """One model, and two batches that name some of the same subjects."""

    def __init__(self, services, folder, monkeypatch):
        self.services, self.store = services, services.store
        train, holdout = (f"file://{p}" for p in write_tables(folder, train=50, holdout=20))
        self.enrollment = factories.enrollment(
            dataset=factories.dataset(uri=train),
            row_count=50,
            holdout=holdout,
            deletions=Deletions(trained_rows=50),
        )
        record_enrollment(services.journal, self.enrollment)
        self.members = {name: list(numbers) for name, numbers in MEMBERS.items()}
        for batch in MEMBERS:
            self.happen(batch, ids.FROZEN, frozen())
        monkeypatch.setattr(Registry, "alias_version", lambda *_: self.champion)
        monkeypatch.setattr(batches, "subjects_by_record", self.subjects)
        monkeypatch.setattr(batches, "dispositions", self.dispositions)
        self.champion = 1

    def subjects(self, _, batch, kind, records=None):
        assert kind == "person"
        wanted = records or [d.record_id for d in batches.accepted(self.services, batch)]
        return {record: subject(int(record[2:])) for record in wanted}

    def dispositions(self, _, batch):
        return [self.disposition(n) for n in self.members[batch]]

    def disposition(self, number):
        return disposition(f"f-{number:06d}", subject=f"p-{number}")

    def withhold(self, batch, *numbers):
        records = tuple(f"f-{n:06d}" for n in numbers)
        self.happen(batch, ids.withheld(numbers[0]), RequestsWithheld(records=records))

    def answer(self, *numbers):
        for n in numbers:
            told = RequestAccepted(disposition=self.disposition(n), batch=OLD)
            erased = RequestErased(
                batch=OLD,
                request_id=told.request_id,
                subject=told.subject,
                reason="1 row erased",
                certificate="certificates/1.json",
                certificate_digest="c",
            )
            for event_id, facts in ((ids.disposition(OLD), told), (ids.certified(OLD), erased)):
                self.services.journal.append(request_stream(f"f-{n:06d}"), event_id, facts)

    def happen(self, batch, event_id, facts):
        self.services.journal.append(batch_stream(batch), event_id, facts)

    def close(self, batch):
        self.happen(batch, ids.VALIDATED, validated())
        self.happen(batch, ids.CLOSED, BatchClosed())

    def promote(self, batch, version):
        """As a run promotes: planned, measured, judged, alias moved, told to the model."""
        attempt = self.plan(batch)
        assert attempt is not None
        of: dict[str, Any] = {"model": "income", "attempt": attempt.key}
        facts = promotion(attempt, version)
        made = CandidateMade(**of, candidate=attempt.ids.candidate, digest=facts.digest)
        for event_id, one in {
            attempt.ids.unlearned: made,
            attempt.ids.evaluated: evaluated(attempt),
            attempt.ids.judged: CandidateAccepted(**of, decision=factories.decision()),
            attempt.ids.promoted: VersionPromoted(**of, version=version, digest=facts.digest),
        }.items():
            self.happen(batch, event_id, one)
        self.services.journal.append(model_stream("income"), attempt.ids.promoted, facts)
        self.champion = version
        return attempt

    def plan(self, batch):
        return planning.plan(self.services, batch, "income")

    def enrolled(self):
        return read_enrollment(self.services.journal, "income")

    def forgotten(self):
        """Batches whose rows the model forgot while a table has them."""
        return [one.batch for one in forgotten_by(self.services, self.enrolled())]

    def settled(self):
        events = self.services.journal.read(model_stream("income"))
        return [e.facts.batch for e in events if isinstance(e.facts, ForgettingSettled)]


@pytest.fixture
def two(services, tmp_path, monkeypatch):
    return TwoBatches(services, tmp_path, monkeypatch)


def test_a_later_batch_asks_a_model_for_the_rest_only(two):
    two.promote(OLD, 2)
    plan = two.plan(NEW)
    assert (plan.parent_version, plan.forget_count) == (2, 2)
    assert forgotten_subjects(two.services, two.enrolled()) == {subject(n) for n in range(3)}


def test_rows_forgotten_and_not_erased_teach_nobody_again(two):
    two.promote(OLD, 2)
    kept = inputs.retain_rows(two.services, two.plan(NEW), two.enrolled())
    assert kept.count == 50 - 5
    two.members[NEW] = [9]
    other = inputs.retain_rows(two.services, two.plan(NEW), two.enrolled())
    assert other.count == 50 - 1 - 3


def test_a_batch_whose_every_row_was_forgotten_before_plans_nothing(two):
    two.members[NEW] = list(range(3))
    two.promote(OLD, 2)
    assert two.plan(NEW) is None
    assert two.plan(NEW) is None
    (told,) = read_batch(two.services.journal, NEW).untouched
    assert told.facts == NothingLeftToForget(model="income")


def test_requests_that_an_earlier_attempt_speaks_for_are_recorded_once(two):
    first = two.promote(OLD, 2)
    for _ in range(2):
        note_forgotten(two.services, OLD, two.enrolled())
        note_forgotten(two.services, NEW, two.enrolled())
    assert read_batch(two.services.journal, OLD).forgotten_earlier == []
    (told,) = read_batch(two.services.journal, NEW).forgotten_earlier
    assert (told.batch, told.attempt) == (OLD, first.key)
    assert told.records == tuple(f"f-{n:06d}" for n in range(3))


def test_each_request_is_answered_by_the_attempt_that_forgot_its_rows(two):
    first = two.promote(OLD, 2)
    second = two.promote(NEW, 3)
    found = certified_models(two.services, NEW)
    tables = {two.enrollment.dataset.uri}
    (old,) = models_for(found, "f-000001", tables)
    (new,) = models_for(found, "f-000004", tables)
    assert (old["version"], old["in_batch"], old["forget_count"]) == (2, OLD, 3)
    assert (new["version"], new["forget_count"]) == (3, 2)
    assert (old["forget_digest"], new["forget_digest"]) == (
        first.forget_digest,
        second.forget_digest,
    )
    assert models_for(found, "f-000004", {"file:///another"}) == []


def test_erased_rows_are_nobodys_concern_any_more(two):
    attempt = two.promote(OLD, 2)
    assert two.forgotten() == [OLD]
    two.happen(OLD, ids.VALIDATED, validated())
    blocked = BatchBlocked(model="other", attempt=attempt.key, failed=(), reason="No rung.")
    two.happen(OLD, attempt.ids.blocked, blocked)
    two.happen(OLD, ids.superseded(NEW), BatchSuperseded(by=NEW))
    assert two.forgotten() == [OLD]
    two.close(NEW)
    assert two.forgotten() == []


def test_a_request_withheld_after_the_promotion_is_not_asked_for_again(two):
    first = two.promote(OLD, 2)
    two.withhold(OLD, 1)
    two.answer(0, 2)
    two.close(OLD)
    assert forgotten_subjects(two.services, two.enrolled()) == {subject(1)}
    two.members[NEW] = [1, 3]
    assert two.plan(NEW).forget_count == 1
    found = certified_models(two.services, NEW)
    (part,) = models_for(found, "f-000001", {two.enrollment.dataset.uri})
    assert (part["version"], part["forget_digest"]) == (2, first.forget_digest)
    two.answer(1)
    assert two.forgotten() == []


def test_an_attempt_speaks_for_whom_it_erased_and_for_whom_a_hold_kept_alike(two):
    first = two.promote(OLD, 2)
    two.withhold(OLD, 1)
    two.answer(0, 2)
    two.close(OLD)
    two.members[NEW] = [0, 1, 2, 3]
    note_forgotten(two.services, NEW, two.enrolled())
    (told,) = read_batch(two.services.journal, NEW).forgotten_earlier
    assert told.attempt == first.key
    assert told.records == tuple(f"f-{n:06d}" for n in range(3))


def test_a_request_withheld_before_the_plan_was_not_forgotten(two):
    two.withhold(OLD, 1)
    two.promote(OLD, 2)
    assert forgotten_subjects(two.services, two.enrolled()) == {subject(0), subject(2)}
    assert two.plan(NEW).forget_count == 3


def test_a_batch_has_made_the_present_weights_forget_also_once_it_is_settled(two):
    two.promote(OLD, 2)
    two.close(OLD)
    note_settled(two.services)
    assert planning.has_forgotten(two.services, OLD, two.enrolled())
    assert not planning.has_forgotten(two.services, NEW, two.enrolled())


def test_weights_of_another_origin_have_forgotten_nothing(two):
    two.promote(OLD, 2)
    other_rules = replace(two.enrolled(), policy=GatePolicy(min_power=0.5))
    record_enrollment(two.services.journal, other_rules)
    assert two.forgotten() == [OLD]
    trained_anew = replace(two.enrollment, version=9, digest="trained anew")
    record_enrollment(two.services.journal, trained_anew)
    assert two.forgotten() == []
    two.champion = 9
    assert two.plan(NEW).forget_count == 5


def test_a_batch_is_settled_once_no_table_has_a_row_of_it(two):
    two.promote(OLD, 2)
    note_settled(two.services)
    assert two.settled() == []
    two.close(OLD)
    for _ in range(2):
        note_settled(two.services)
    assert two.settled() == [OLD]
    assert read_model(two.services.journal, "income").forgotten == {}


def test_a_batch_is_not_settled_while_a_hold_keeps_one_of_its_requests(two):
    two.promote(OLD, 2)
    two.withhold(OLD, 1)
    two.answer(0, 2)
    two.close(OLD)
    note_settled(two.services)
    assert two.settled() == []
    two.answer(1)
    note_settled(two.services)
    assert two.settled() == [OLD]


def test_settled_batches_are_not_read_again(two, monkeypatch):
    two.promote(OLD, 2)
    two.close(OLD)
    note_settled(two.services)
    two.services.store.delete(f"batches/{OLD}/dispositions.json")

    def read(_, batch):
        raise AssertionError(batch)

    monkeypatch.setattr(batches, "dispositions", read)
    assert two.forgotten() == []
    note_settled(two.services)
