"""Where requests and batches stand, and what was decided about a record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearning.policy.subject_kinds import PERSON

TERMINAL = frozenset(
    {"erased", "not_found", "cannot_tell", "quarantined", "duplicate", "withdrawn"}
)
"""Request statuses that nothing follows."""

ERASING = ("erasing", "half_erased")
"""Statuses of a batch some of whose rows are gone; in the second one somebody must approve the rest
for a model that was enrolled since."""

WORKED_ON = ("frozen", "validated", "erasing")
"""Statuses of a batch that a run has begun and that waits for nobody."""

STATUS_MEANING: Mapping[str, str] = {
    "accepted": "valid, waiting for its rows to be unlearned and erased",
    "on_hold": "a legal hold names the subject, or new rows of somebody who was erased before wait "
    "for a person; looked at again in every run",
    "unclear": "rows have nearly its id, but for the spelling, or its id under another kind; "
    "`expunge settle` says who is meant",
    "blocked": "a model failed the gate, or somebody rejected the batch; the champion is "
    "unchanged, the request stays open",
    "erased": "rows gone from the tables, but for what the reason names; the certificate says what "
    "each model forgot",
    "not_found": "no row found of this id, nor nearly unless a person said that exactly this is "
    "meant; certificate of the search written",
    "cannot_tell": "no row erased, and not all could be searched, or the tables with rows were "
    "closed or away; reason and certificate name them",
    "quarantined": "the row or file is unusable; kept with its reason for the sender",
    "withdrawn": "a person withdrew it, since another id was meant, or reinstated the subject",
    "duplicate": "repeats a request that is already on record",
}


@dataclass(frozen=True, slots=True)
class Disposition:
    """What validation decided about one row or file; holds no subject id."""

    record_id: str
    request_id: str
    outcome: str
    reason: str
    received_at: str = ""
    ground: str = ""
    subject: str = ""
    """Keyed pseudonym of the subject; empty when the row named none."""
    subject_kind: str = PERSON
    spelling: str = ""
    """Keyed pseudonym of the loose form of the id; empty in records that are older than that."""


def replay_id(subject: str, state: str) -> str:
    """Id of a request of our own for an erased subject, given by pseudonym, who is back."""
    return f"replay-{subject}-{state}"


def is_replay(request_id: str, subject: str) -> bool:
    """Whether a request of this id is one of our own for this pseudonym, which nobody can guess."""
    return bool(subject) and request_id.startswith(replay_id(subject, ""))


def count_outcomes(dispositions: Sequence[Disposition]) -> dict[str, int]:
    """How many dispositions there are of each outcome, in name order."""
    outcomes = sorted({d.outcome for d in dispositions})
    return {o: sum(d.outcome == o for d in dispositions) for o in outcomes}


def is_open(status: str) -> bool:
    """Whether a request in this status still waits for something."""
    return status not in TERMINAL
