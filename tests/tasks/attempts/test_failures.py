"""An attempt that leads nowhere: a fact for the ladder, unless another rung could not mend it."""

import pytest
import torch

from tasks.attempts.failures import failure_of
from tasks.journal import journal
from tasks.journal.events.attempt import Attempt
from tasks.records.status import standstills
from unlearning.errors import (
    ConflictError,
    DataError,
    DivergenceError,
    EvidenceError,
    OutOfMemoryError,
    SettingsError,
    StaleLedgerError,
    TransientError,
    UnfitRowsError,
    UnsupportedModelError,
)

ATTEMPT = Attempt(
    key="a-1",
    batch="b-1",
    model="income",
    parent_version=1,
    parent_digest="d1",
    dataset="file:///train",
    dataset_version=0,
    holdout_version=0,
    row_count=9,
    forget_count=1,
    forget_digest="f",
    config_digest="c",
    method="calibrated",
)


def raising(error):
    def part(*_):
        raise error

    return part


@pytest.fixture
def begun(services):
    services.journal.append(journal.Entry("batches/b-1", "frozen", "BatchFrozen", {}))
    return services


MAY_BE_MENDED = [DivergenceError, UnsupportedModelError, EvidenceError, UnfitRowsError]


@pytest.mark.parametrize("kind", MAY_BE_MENDED)
def test_what_another_rung_may_mend_is_recorded_once_and_told(begun, kind):
    part = raising(kind("The loss is not finite; retrain."))
    for _ in range(2):
        assert failure_of(begun, ATTEMPT, part) == "The loss is not finite; retrain."
    failed = [e for e in begun.journal.read("batches/b-1") if e.name == "CandidateFailed"]
    assert [e.facts["reason"] for e in failed] == ["The loss is not finite; retrain."]
    assert failed[0].id.startswith("a-1/failed/")


NO_RUNG_MENDS = [
    StaleLedgerError,
    ConflictError,
    DataError,
    TransientError,
    SettingsError,
]


@pytest.mark.parametrize("kind", NO_RUNG_MENDS)
def test_what_no_rung_mends_is_raised_and_leaves_no_trace(begun, kind):
    with pytest.raises(kind):
        failure_of(begun, ATTEMPT, raising(kind("Run again.")))
    assert len(begun.journal.read("batches/b-1")) == 1


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")], ids=["host", "device"]
)
def test_memory_that_runs_out_anywhere_says_what_to_do_and_why_the_batch_stands(
    begun, caplog, error
):
    for _ in range(2):
        with pytest.raises(OutOfMemoryError, match="larger machine"):
            failure_of(begun, ATTEMPT, raising(error))
    events = begun.journal.read("batches/b-1")
    assert [e.name for e in events] == ["BatchFrozen", "MemoryRanOut"]
    assert "ALARM: Batch b-1 stands still for income." in caplog.text
    (said,) = standstills(begun)
    assert said.startswith("Batch b-1 stands still for income. Memory ran out")
    assert said.endswith("larger machine.")
    begun.journal.append(journal.Entry("batches/b-1", "a-1/unlearned", "CandidateMade", {}))
    assert standstills(begun) == []


def test_memory_that_another_rung_does_not_take_is_a_failure_of_this_one(begun):
    reason = failure_of(begun, ATTEMPT, raising(MemoryError()), may_climb=lambda: True)
    assert reason.startswith("Memory ran out")
    events = begun.journal.read("batches/b-1")
    assert [e.name for e in events] == ["BatchFrozen", "CandidateFailed"]
    assert standstills(begun) == []


def test_what_works_later_is_no_failure_any_more(begun):
    failure_of(begun, ATTEMPT, raising(EvidenceError("Too few rows.")))
    assert failure_of(begun, ATTEMPT, lambda *_: {"made": True}) == ""
