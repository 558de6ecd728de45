"""What was measured of one model and compared with it, as part of its history."""

from dataclasses import dataclass, field
from typing import assert_never

from tasks.journal.events.enrollment import Enrollment
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
    references: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Keys of its reference models, each with the holdout that they learned from, and how often
    rows had been erased from one before."""
    examined: dict[tuple[str, int, str], VersionExamined] = field(default_factory=dict)
    """Versions of any name whose files were looked into, by name, number and source."""

    def references_of(self, holdout: str, erasures: int) -> set[str]:
        """Keys of those that learned from this holdout after so many erasures."""
        return {key for key, of in self.references.items() if of == (holdout, erasures)}

    def note_measure(self, facts: MeasureFact, now: Enrollment | None, erasures: int) -> None:
        """Take in the next measurement, of a model as it is enrolled now.

        Args:
            facts: What was measured.
            now: The enrolment; early releases did not note the holdout.
            erasures: How often rows were erased from one so far.
        """
        match facts:
            case CandidateMeasured():
                self.measured.append(facts)
                self.measured_of_origin.append(facts)
            case RetrainTimed():
                self.timed.append(facts.timed)
            case ReferenceModelsStored():
                self.timed.append(facts.timed)
                self.power = facts.power
                before = erasures if facts.erasures is None else facts.erasures
                self.references[facts.references] = (
                    facts.holdout or (now.holdout if now else ""),
                    before,
                )
            case LedgerStored():
                pass  # ledgers are looked for in the store
            case _:
                assert_never(facts)
