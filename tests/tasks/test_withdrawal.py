"""A model out of service: whatever is interrupted, it is withdrawn once and for good."""

from dataclasses import replace

import pytest

from tasks import journal, ladder, registry
from tasks.datasets import DatasetSpec
from tasks.enrollment import Enrollment, enroll, read_enrollment, stream
from unlearning.budget import Deletions
from unlearning.config import GatePolicy, UnlearningConfig


@pytest.fixture
def enrollment(store):
    found = Enrollment(
        model="income",
        version=1,
        digest="d",
        dataset=DatasetSpec("file:///train", ("features",), "label", "subject_id"),
        dataset_version=0,
        row_count=9,
        holdout="file:///holdout",
        unlearning=UnlearningConfig(),
        policy=GatePolicy(),
        deletions=Deletions(trained_rows=9),
    )
    enroll(store, found)
    return found


@pytest.fixture
def champions(monkeypatch):
    found = {}
    monkeypatch.setattr(registry, "alias_version", found.get)
    return found


def intend(store):
    facts = {"effect": "ModelWithdrawn", "model": "income", "attempt": "a-1"}
    journal.append(store, journal.Entry("batches/b-1", "frozen", "BatchFrozen", {}))
    journal.append(
        store, journal.Entry("batches/b-1", "a-1/withdrawn/intent", "EffectIntended", facts)
    )


def test_a_withdrawal_cut_off_after_the_alias_was_gone_is_finished(store, enrollment, champions):
    intend(store)
    champions["income"] = 1
    ladder.settle_withdrawals(store)
    assert not read_enrollment(store, "income").is_withdrawn  # not begun: the alias is still there
    del champions["income"]
    ladder.settle_withdrawals(store)
    ladder.settle_withdrawals(store)
    assert read_enrollment(store, "income").is_withdrawn
    events = journal.read(store, stream("income"))
    assert sum(e.name == "ModelWithdrawn" for e in events) == 1


def test_withdrawn_weights_stay_withdrawn_and_others_do_not(store, enrollment, champions):
    intend(store)
    ladder.settle_withdrawals(store)
    enroll(store, replace(enrollment, version=7))
    assert read_enrollment(store, "income").is_withdrawn
    enroll(store, replace(enrollment, version=8, digest="trained anew"))
    assert not read_enrollment(store, "income").is_withdrawn
