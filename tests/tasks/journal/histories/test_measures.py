from dataclasses import replace

from every_event import TIMED
from factories import HOLDOUT, attempt, enrollment, measured

from tasks.journal.events.models import LedgerStored, ReferenceModelsStored
from tasks.journal.histories.measures import Measures
from unlearning.evidence.attack_power import AttackPower


def test_candidates_count_for_the_model_and_for_its_present_weights():
    found = Measures()
    found.note_measure(measured(attempt()), None, 0)
    found.note_measure(LedgerStored(ledger="ledgers/d1/x", row_count=100, version=1), None, 0)
    assert found.measured == found.measured_of_origin == [measured(attempt())]
    assert (found.timed, found.power) == ([], None)


def test_reference_models_are_those_of_a_holdout_and_of_the_erasures_before():
    found = Measures()
    power = AttackPower(attack="loss", auc=0.7, deviation=0.2, holdout_variance=0.01)
    early = ReferenceModelsStored(references="a", count=2, version=1, power=power, timed=TIMED)
    found.note_measure(early, enrollment(), 1)
    # Begun before rows were erased, and noted after that.
    found.note_measure(replace(early, references="b", holdout="other", erasures=0), enrollment(), 1)
    assert found.references_of(HOLDOUT, 1) == {"a"}
    assert found.references_of("other", 0) == {"b"}
    assert found.references_of("other", 1) == set()
