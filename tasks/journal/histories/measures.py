"""What was measured of one model and compared with it, as part of its history."""

from dataclasses import dataclass, field
from typing import assert_never

from tasks.journal.events.models import (
    CandidateMeasured,
    LedgerStored,
    MeasureFact,
    ReferenceModelsStored,
    RetrainTimed,
    Timing,
)
from tasks.journal.events.versions import VersionExamined
from unlearning.evidence.attack_power import AttackPower


@dataclass(slots=True)
class Measures:
    """Candidates, trainings and attacks on a model, oldest first; and what may be a copy of it."""

    measured: list[CandidateMeasured] = field(default_factory=list)
    """Every candidate that was measured."""
    measured_of_origin: list[CandidateMeasured] = field(default_factory=list)
    """Those of the present weights and of the ones they came from."""
    timed: list[Timing] = field(default_factory=list)
    power: AttackPower | None = None
    """How well attacks told its training rows when its reference models were made last."""
    examined: dict[tuple[str, int, str], VersionExamined] = field(default_factory=dict)
    """Versions of any name whose files were looked into, by name, number and source."""

    def note_measure(self, facts: MeasureFact) -> None:
        """Take in the next measurement."""
        match facts:
            case CandidateMeasured():
                self.measured.append(facts)
                self.measured_of_origin.append(facts)
            case RetrainTimed():
                self.timed.append(facts.timed)
            case ReferenceModelsStored():
                self.timed.append(facts.timed)
                self.power = facts.power
            case LedgerStored():
                pass  # ledgers are looked for in the store
            case _:
                assert_never(facts)
