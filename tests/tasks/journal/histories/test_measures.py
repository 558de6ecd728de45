from factories import attempt, measured

from tasks.journal.events.models import LedgerStored
from tasks.journal.histories.measures import Measures


def test_candidates_count_for_the_model_and_for_its_present_weights():
    found = Measures()
    found.note_measure(measured(attempt()))
    found.note_measure(LedgerStored(ledger="ledgers/d1/x", row_count=100, version=1))
    assert found.measured == found.measured_of_origin == [measured(attempt())]
    assert (found.timed, found.power) == ([], None)
