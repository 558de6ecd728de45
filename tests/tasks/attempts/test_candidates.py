"""A candidate is made once, or the reason says why not and nothing is written."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load, save
from small_tables import rows

from tasks.attempts import candidates
from tasks.datasets.rows import TableRows
from tasks.enrolling import gradient_ledgers
from tasks.enrolling.timed_trainings import note_retrain
from tasks.journal import journal
from unlearning.config.deletion_budget import DeletionBudget
from unlearning.errors import (
    DataError,
    DivergenceError,
    StaleLedgerError,
    UnsupportedModelError,
)
from unlearning.methods.gradient_ledger import Ledger
from unlearning.model.gradients import mean_gradient
from unlearning.model.weights import model_digest
from unlearning.policy.deadlines import Forecast


def refused(here, attempt, error, match):
    with pytest.raises(error, match=match):
        candidates.make_candidate(here.services, attempt)
    assert here.keys() == []
    assert here.history().attempts[attempt.key].made is None


def test_a_planned_attempt_makes_a_candidate_and_a_ledger_of_the_whole_table(world):
    here = world()
    attempt = here.plan()
    made = candidates.make_candidate(here.services, attempt)
    assert here.keys() == [made.candidate]
    assert made.digest == model_digest(load(here.store.get(made.candidate)))
    ledger = gradient_ledgers.read_ledger(here.services, here.enrolled())
    assert ledger.gradient.row_count == 100
    history = here.history().attempts[attempt.key]
    assert history.made == made
    assert history.seconds > 0
    assert candidates.make_candidate(here.services, attempt) == made


@pytest.mark.parametrize(("method", "is_read"), [("calibrated", False), ("theory_step", True)])
def test_only_a_method_that_takes_a_ledger_pays_for_one(world, method, is_read):
    here = world(method=method)
    here.made()
    assert bool(here.keys("ledgers/")) is is_read


def test_a_retrain_tells_what_it_learned_from_and_is_timed(world):
    here = world(method="retrain")
    attempt = here.plan()
    made = candidates.make_candidate(here.services, attempt)
    assert (made.trained_rows, made.kept_from_parent) == (90, ())
    (timed,) = here.model().timed
    assert (timed.rows, timed.epochs) == (90, 2)
    update = here.plan().by("theory_step", rung="update", reason="")
    assert candidates.update_config(here.enrolled(), update).method == "theory_step"


def test_the_stronger_rung_goes_further_than_the_enrolment(world):
    here = world(method="calibrated")
    config = here.enrolled().unlearning
    further = here.plan().by("calibrated", rung="stronger", reason="It left rows.")
    found = candidates.update_config(here.enrolled(), further)
    assert found.calibration.max_steps == 2 * config.calibration.max_steps


def test_a_ledger_of_fewer_rows_than_are_to_be_forgotten_is_refused(world, monkeypatch):
    here = world()
    few = TableRows(here.services.settings, here.first.dataset, 0, only=here.asked[:5])
    ledger = Ledger(
        mean_gradient(here.module, few, chunk_size=8),
        model_digest=here.first.digest,
        dataset=here.first.snapshot,
    )
    monkeypatch.setattr(candidates, "read_ledger", lambda *_: ledger)
    refused(here, here.plan(), DataError, "10 rows and the ledger 5")


def test_a_stale_ledger_is_refused(world):
    here = world()
    gradient_ledgers.store_ledger(here.services, here.first, here.module)
    key = here.first.ledger_key
    elsewhere = here.first.snapshot.replace("@0", "@8")
    data = here.store.get(key).replace(here.first.snapshot.encode(), elsewhere.encode())
    here.store.put(key, data)
    refused(here, here.plan(), StaleLedgerError, "build a new ledger")


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


@pytest.mark.parametrize("is_forced", [True, False])
def test_a_retrain_that_cannot_be_done_says_why_it_must_be_and_what_to_do(
    world, monkeypatch, is_forced
):
    def refuse(*_):
        raise UnsupportedModelError("Its dropout is lost; register it in pickled form.")

    monkeypatch.setattr(candidates, "unlearn", refuse)
    here = world(method="theory_step" if is_forced else "retrain")
    here.enroll(budget=DeletionBudget(max_updates=0))
    expected = r"must be.*update 1 in a row.*dropout.*enrol" if is_forced else r"^Its dropout"
    refused(here, here.plan(), UnsupportedModelError, expected)


@pytest.fixture
def late(world, monkeypatch):
    """A model that is retrained, for months, and a batch that is due in less than two weeks."""
    here = world(method="retrain")
    monkeypatch.setattr(journal, "now", lambda: datetime(2026, 12, 8, 12, tzinfo=UTC))
    attempt = here.plan()
    config = here.first.unlearning.retraining
    note_retrain(here.services, replace(attempt, key="a-0"), config, 100, 1e8)
    return here, attempt


def test_a_retrain_that_certainly_ends_too_late_is_refused_before_it_is_announced(late):
    here, attempt = late
    refused(here, attempt, UnsupportedModelError, r"cannot end in time.* enrol that version")
    assert here.history().attempts[attempt.key].begun_at == ""


def test_a_retrain_that_was_begun_goes_on_whatever_it_takes(late):
    here, attempt = late
    here.store.put(attempt.ids.checkpoint, b"state")
    assert candidates.make_candidate(here.services, attempt).trained_rows == 90


def test_a_retrain_that_ended_before_its_event_was_recorded_counts(late):
    here, attempt = late
    state = {name: value + 1 for name, value in here.module.state_dict().items()}
    here.store.put(attempt.ids.candidate, save(state))
    made = candidates.make_candidate(here.services, attempt)
    assert made.digest == model_digest(state)


def test_an_update_waits_for_no_such_forecast(world, monkeypatch):
    never = Forecast(expected=9e9, least=9e9)
    monkeypatch.setattr(candidates, "retrain_forecast", lambda *_: never)
    here = world(method="theory_step")
    here.made()
    assert len(here.keys()) == 1


def test_frozen_layers_of_a_retrained_candidate_are_named(world):
    torch.manual_seed(1)
    here = world(method="retrain")
    here.module.bias.requires_grad_(requires_grad=False)
    made = candidates.make_candidate(here.services, here.plan())
    assert made.kept_from_parent == ("bias",)
