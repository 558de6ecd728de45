"""An attempt that leads nowhere: a fact for the ladder, unless another rung could not mend it."""

import pytest
import torch
from factories import attempt, frozen, happen

from tasks.attempts.failures import failure_of
from tasks.journal.events.attempts import AttemptPlanned
from tasks.journal.events.catalog import batch_stream
from tasks.journal.reading import read_batch
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

ATTEMPT = attempt()


def raising(error):
    def part(*_):
        raise error

    return part


@pytest.fixture
def begun(services):
    happen(services.journal, "b-1", frozen=frozen(), planned=AttemptPlanned(attempt=ATTEMPT))
    return services


def history(services):
    return read_batch(services.journal, "b-1").attempts[ATTEMPT.key]


MAY_BE_MENDED = [DivergenceError, UnsupportedModelError, EvidenceError, UnfitRowsError]


@pytest.mark.parametrize("kind", MAY_BE_MENDED)
def test_what_another_rung_may_mend_is_recorded_once_and_told(begun, kind):
    part = raising(kind("The loss is not finite; retrain."))
    for _ in range(2):
        assert failure_of(begun, ATTEMPT, part) == "The loss is not finite; retrain."
    (failed,) = history(begun).failures
    assert failed.reason == "The loss is not finite; retrain."
    assert failed.is_of_rows is (kind is UnfitRowsError)


def test_another_reason_is_another_failure(begun):
    for reason in ("Too few rows.", "Too little memory."):
        failure_of(begun, ATTEMPT, raising(EvidenceError(reason)))
    assert [one.reason for one in history(begun).failures] == [
        "Too few rows.",
        "Too little memory.",
    ]


NO_RUNG_MENDS = [StaleLedgerError, ConflictError, DataError, TransientError, SettingsError]


@pytest.mark.parametrize("kind", NO_RUNG_MENDS)
def test_what_no_rung_mends_is_raised_and_leaves_no_trace(begun, kind):
    before = begun.journal.read(batch_stream("b-1"))
    with pytest.raises(kind):
        failure_of(begun, ATTEMPT, raising(kind("Run again.")))
    assert begun.journal.read(batch_stream("b-1")) == before


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory.")], ids=["host", "device"]
)
def test_memory_that_runs_out_anywhere_says_what_to_do_and_why_the_batch_stands(
    begun, caplog, error
):
    for _ in range(2):
        with pytest.raises(OutOfMemoryError, match="larger machine"):
            failure_of(begun, ATTEMPT, raising(error))
    (told,) = history(begun).out_of_memory
    assert told.reason.startswith("Memory ran out")
    assert told.reason.endswith("larger machine.")
    assert "ALARM: Batch b-1 stands still for income." in caplog.text
    assert history(begun).failures == []


def test_memory_that_another_rung_does_not_take_is_a_failure_of_this_one(begun):
    reason = failure_of(begun, ATTEMPT, raising(MemoryError()), may_climb=lambda: True)
    assert reason.startswith("Memory ran out")
    assert [one.reason for one in history(begun).failures] == [reason]
    assert history(begun).out_of_memory == []


def test_what_works_later_is_no_failure_any_more(begun):
    failure_of(begun, ATTEMPT, raising(EvidenceError("Too few rows.")))
    assert failure_of(begun, ATTEMPT, lambda *_: {"made": True}) == ""
