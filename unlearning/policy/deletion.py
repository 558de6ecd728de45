"""What requests and batches go through: statuses, events, and the table between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearning.errors import ConflictError

TERMINAL = frozenset({"erased", "not_found", "quarantined", "duplicate"})
"""Request statuses that nothing follows."""

ERASING = ("erasing", "half_erased")
"""Statuses of a batch some of whose rows are gone; in the second one somebody must approve the rest
for a model that was enrolled since."""

STATUS_MEANING: Mapping[str, str] = {
    "accepted": "valid, waiting for its rows to be unlearned and erased",
    "on_hold": "a legal hold names the subject; looked at again in every run",
    "blocked": "a model failed the gate, or somebody rejected the batch; the champion is "
    "unchanged, the request stays open",
    "erased": "rows gone from tables and forgotten by models; certificate written",
    "not_found": "no table holds a row of the subject; certificate of the search written",
    "quarantined": "the row or file is unusable; kept with its reason for the sender",
    "duplicate": "repeats a request that is already on record",
}

# Per stream kind: (status before, event) → status after.
_REQUEST = {
    ("", "RequestAccepted"): "accepted",
    ("", "RequestQuarantined"): "quarantined",
    ("", "RequestDuplicated"): "duplicate",
    ("", "RequestHeld"): "on_hold",
    ("on_hold", "RequestReleased"): "accepted",
    ("on_hold", "RequestHeld"): "on_hold",
    ("blocked", "RequestReleased"): "accepted",
    ("accepted", "RequestReleased"): "accepted",
    ("accepted", "RequestHeld"): "on_hold",
    ("blocked", "RequestHeld"): "on_hold",
    ("accepted", "RequestBlocked"): "blocked",
    ("blocked", "RequestBlocked"): "blocked",
    ("blocked", "RequestUnblocked"): "accepted",
    ("accepted", "RequestUnblocked"): "accepted",
    ("accepted", "SubjectNotFound"): "not_found",
    ("blocked", "SubjectNotFound"): "not_found",
    ("accepted", "RequestErased"): "erased",
    ("blocked", "RequestErased"): "erased",
}
_BATCH = {
    ("", "BatchFrozen"): "frozen",
    ("frozen", "BatchValidated"): "validated",
    ("validated", "BatchBlocked"): "blocked",
    ("blocked", "BatchBlocked"): "blocked",
    ("validated", "RowsErased"): "erasing",
    ("blocked", "RowsErased"): "erasing",
    ("validated", "BatchClosed"): "closed",
    ("blocked", "BatchClosed"): "closed",
    ("erasing", "RowsErased"): "erasing",
    # Its rows are gone in part: it stays at work whatever stops it, and no other takes it over.
    ("erasing", "BatchBlocked"): "erasing",
    ("erasing", "ApprovalRequested"): "half_erased",
    ("half_erased", "ApprovalRequested"): "half_erased",
    ("half_erased", "ApprovalWithdrawn"): "erasing",
    ("half_erased", "BatchApproved"): "erasing",
    ("erasing", "BatchClosed"): "closed",
    ("blocked", "BatchSuperseded"): "closed",
    # A waiting batch cannot block, erase or close: somebody must answer, or the plan shrink.
    ("validated", "ApprovalRequested"): "waiting",
    ("blocked", "ApprovalRequested"): "waiting",
    ("waiting", "ApprovalRequested"): "waiting",
    ("waiting", "ApprovalWithdrawn"): "validated",
    ("waiting", "BatchApproved"): "validated",
    ("waiting", "BatchRejected"): "rejected",
    ("rejected", "ApprovalRequested"): "rejected",
    ("rejected", "ApprovalWithdrawn"): "validated",
    ("rejected", "BatchApproved"): "validated",
}
_MODEL = {
    ("", "ModelEnrolled"): "enrolled",
    ("enrolled", "ModelEnrolled"): "enrolled",
}
TRANSITIONS = {"requests": _REQUEST, "batches": _BATCH, "models": _MODEL}
_CHANGING = {kind: {event for _, event in table} for kind, table in TRANSITIONS.items()}


def next_status(kind: str, status: str, event: str) -> str:
    """The status of a `kind` stream after `event`; events outside the table leave it as it is.

    Raises:
        ConflictError: the event is not allowed in this status, so somebody else moved it on.
    """
    if event not in _CHANGING[kind]:
        return status
    after = TRANSITIONS[kind].get((status, event))
    if after is None:
        raise ConflictError(f"{event} cannot follow status {status or 'none'!r}; run again.")
    return after


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
