"""What a request, batch or model goes through: the table from status and event to status."""

from collections.abc import Mapping

from tasks.journal.events.attempts import BatchBlocked
from tasks.journal.events.batches import (
    ApprovalRequested,
    BatchApproved,
    BatchClosed,
    BatchFrozen,
    BatchRejected,
    BatchSuperseded,
    BatchValidated,
    QuestionRetracted,
    RowsErased,
)
from tasks.journal.events.catalog import Fact
from tasks.journal.events.event import Kind
from tasks.journal.events.models import ModelEnrolled
from tasks.journal.events.requests import (
    RequestAccepted,
    RequestBlocked,
    RequestDuplicated,
    RequestErased,
    RequestHeld,
    RequestQuarantined,
    RequestReleased,
    RequestSettled,
    RequestUnblocked,
    RequestUnclear,
    RequestWithdrawn,
    SubjectNotFound,
    SubjectUncertain,
)
from unlearning.errors import ConflictError
from unlearning.policy.deletion import TERMINAL

Table = Mapping[tuple[str, type], str]

FINAL: Mapping[Kind, frozenset[str]] = {
    "requests": TERMINAL,
    "batches": frozenset({"closed"}),
    "models": frozenset(),
}
"""Statuses that nothing follows."""

_REQUEST: Table = {
    ("", RequestAccepted): "accepted",
    ("", RequestQuarantined): "quarantined",
    ("", RequestDuplicated): "duplicate",
    ("", RequestHeld): "on_hold",
    ("accepted", RequestUnclear): "unclear",
    ("blocked", RequestUnclear): "unclear",
    ("unclear", RequestSettled): "accepted",
    ("unclear", RequestWithdrawn): "withdrawn",
    ("on_hold", RequestReleased): "accepted",
    ("on_hold", RequestHeld): "on_hold",
    ("on_hold", RequestWithdrawn): "withdrawn",
    ("blocked", RequestReleased): "accepted",
    ("accepted", RequestReleased): "accepted",
    ("accepted", RequestHeld): "on_hold",
    ("blocked", RequestHeld): "on_hold",
    ("accepted", RequestBlocked): "blocked",
    ("blocked", RequestBlocked): "blocked",
    ("blocked", RequestUnblocked): "accepted",
    ("accepted", RequestUnblocked): "accepted",
    ("accepted", SubjectNotFound): "not_found",
    ("blocked", SubjectNotFound): "not_found",
    ("accepted", SubjectUncertain): "cannot_tell",
    ("blocked", SubjectUncertain): "cannot_tell",
    ("accepted", RequestErased): "erased",
    ("blocked", RequestErased): "erased",
}
_BATCH: Table = {
    ("", BatchFrozen): "frozen",
    ("frozen", BatchValidated): "validated",
    ("validated", BatchBlocked): "blocked",
    ("blocked", BatchBlocked): "blocked",
    ("validated", RowsErased): "erasing",
    ("blocked", RowsErased): "erasing",
    ("validated", BatchClosed): "closed",
    ("blocked", BatchClosed): "closed",
    ("erasing", RowsErased): "erasing",
    # Its rows are gone in part: it stays at work whatever stops it, and no other takes it over.
    ("erasing", BatchBlocked): "erasing",
    ("erasing", ApprovalRequested): "half_erased",
    ("half_erased", ApprovalRequested): "half_erased",
    ("half_erased", QuestionRetracted): "erasing",
    ("half_erased", BatchApproved): "erasing",
    ("erasing", BatchClosed): "closed",
    ("blocked", BatchSuperseded): "closed",
    # A waiting batch cannot block, erase or close: somebody must answer, or the plan shrink.
    ("validated", ApprovalRequested): "waiting",
    ("blocked", ApprovalRequested): "waiting",
    ("waiting", ApprovalRequested): "waiting",
    ("waiting", QuestionRetracted): "validated",
    ("waiting", BatchApproved): "validated",
    ("waiting", BatchRejected): "rejected",
    ("rejected", ApprovalRequested): "rejected",
    ("rejected", QuestionRetracted): "validated",
    ("rejected", BatchApproved): "validated",
}
_MODEL: Table = {
    ("", ModelEnrolled): "enrolled",
    ("enrolled", ModelEnrolled): "enrolled",
}
TRANSITIONS: Mapping[Kind, Table] = {"requests": _REQUEST, "batches": _BATCH, "models": _MODEL}
"""By kind of stream: (status before, event) → status after."""

_CHANGING = {kind: {event for _, event in table} for kind, table in TRANSITIONS.items()}


def next_status(kind: Kind, status: str, facts: Fact) -> str:
    """The status of a `kind` stream after an event; events outside the table leave it as it is.

    Raises:
        ConflictError: the event is not allowed in this status, so somebody else moved it on.
    """
    event = type(facts)
    if event not in _CHANGING[kind]:
        return status
    after = TRANSITIONS[kind].get((status, event))
    if after is None:
        raise ConflictError(
            f"{event.__name__} cannot follow status {status or 'none'!r}; run again."
        )
    return after
