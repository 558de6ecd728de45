from tasks.journal.events.batches import OwnBatchFact
from tasks.journal.events.reduction import ReductionIntended, RequestsReduced


def test_what_was_meant_and_what_was_done_are_told_apart():
    assert ReductionIntended(files=1) != RequestsReduced(files=1)
    assert isinstance(RequestsReduced(files=1), OwnBatchFact)
