import pytest

from unlearning.errors import ConflictError
from unlearning.policy.deletion import (
    STATUS_MEANING,
    TERMINAL,
    TRANSITIONS,
    Disposition,
    count_outcomes,
    is_open,
    next_status,
)

STATUSES = {
    "requests": {"", *STATUS_MEANING},
    "batches": {
        "",
        "frozen",
        "validated",
        "waiting",
        "rejected",
        "blocked",
        "erasing",
        "half_erased",
        "closed",
    },
    "models": {"", "enrolled"},
}
WAITING = ["BatchFrozen", "BatchValidated", "ApprovalRequested"]
STEPS = [(kind, *step) for kind, table in TRANSITIONS.items() for step in table]
FORBIDDEN = [
    (kind, status, event)
    for kind, table in TRANSITIONS.items()
    for status in sorted(STATUSES[kind])
    for event in sorted({event for _, event in table})
    if (status, event) not in table
]


def reachable(kind, start):
    found, new = set(), {start}
    while new:
        found |= new
        new = {after for (status, _), after in TRANSITIONS[kind].items() if status in found} - found
    return found


def walk(kind, *events):
    status = ""
    for event in events:
        status = next_status(kind, status, event)
    return status


@pytest.mark.parametrize(("kind", "status", "event"), STEPS)
def test_every_step_of_the_tables_leads_from_a_known_status_to_a_known_one(kind, status, event):
    after = next_status(kind, status, event)
    assert status in STATUSES[kind]
    assert after in STATUSES[kind] - {""}


@pytest.mark.parametrize("kind", sorted(STATUSES))
def test_every_status_can_be_reached_from_the_start(kind):
    assert reachable(kind, "") == STATUSES[kind]


def test_every_request_status_is_explained_and_every_explanation_is_a_status():
    assert reachable("requests", "") - {""} == set(STATUS_MEANING)
    assert all(STATUS_MEANING.values())
    assert set(STATUS_MEANING) > TERMINAL


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_nothing_follows_a_terminal_status(status):
    assert reachable("requests", status) == {status}
    assert not is_open(status)


@pytest.mark.parametrize("status", sorted(set(STATUS_MEANING) - TERMINAL))
def test_every_open_request_can_still_be_erased(status):
    assert "erased" in reachable("requests", status)
    assert is_open(status)


@pytest.mark.parametrize("status", sorted(STATUSES["batches"]))
def test_every_batch_can_be_closed_and_nothing_follows(status):
    assert "closed" in reachable("batches", status)
    assert reachable("batches", "closed") == {"closed"}


@pytest.mark.parametrize(("kind", "status", "event"), FORBIDDEN)
def test_a_step_outside_the_tables_is_a_conflict(kind, status, event):
    with pytest.raises(ConflictError, match=event):
        next_status(kind, status, event)


@pytest.mark.parametrize("kind", sorted(STATUSES))
@pytest.mark.parametrize("status", ["", "accepted", "erased"])
def test_an_event_that_no_table_names_changes_nothing(kind, status):
    assert next_status(kind, status, "SomethingElse") == status


@pytest.mark.parametrize(
    ("kind", "events", "expected"),
    [
        ("requests", ["RequestAccepted", "RequestErased"], "erased"),
        ("requests", ["RequestAccepted", "RequestBlocked", "RequestErased"], "erased"),
        ("requests", ["RequestAccepted", "RequestBlocked", "RequestUnblocked"], "accepted"),
        ("requests", ["RequestHeld", "RequestHeld", "RequestReleased"], "accepted"),
        ("requests", ["RequestAccepted", "SubjectNotFound"], "not_found"),
        ("batches", ["BatchFrozen", "BatchValidated", "RowsErased", "BatchClosed"], "closed"),
        ("batches", ["BatchFrozen", "BatchValidated", "BatchBlocked", "BatchSuperseded"], "closed"),
        ("batches", [*WAITING, "BatchApproved", "RowsErased", "BatchClosed"], "closed"),
        ("batches", [*WAITING, "BatchRejected", "ApprovalRequested"], "rejected"),
        ("batches", [*WAITING, "BatchRejected", "BatchApproved", "BatchBlocked"], "blocked"),
        ("batches", [*WAITING, "ApprovalRequested", "ApprovalWithdrawn"], "validated"),
        ("models", ["ModelEnrolled", "ModelEnrolled"], "enrolled"),
    ],
)
def test_the_ways_that_requests_batches_and_models_go(kind, events, expected):
    assert walk(kind, *events) == expected


@pytest.mark.parametrize("event", ["RequestErased", "SubjectNotFound", "RequestBlocked"])
def test_a_held_request_is_not_erased_before_its_release(event):
    with pytest.raises(ConflictError):
        walk("requests", "RequestHeld", event)


def test_rows_are_never_erased_before_the_batch_is_validated():
    with pytest.raises(ConflictError, match="'frozen'"):
        walk("batches", "BatchFrozen", "RowsErased")


@pytest.mark.parametrize("answers", [[], ["BatchRejected"]])
@pytest.mark.parametrize("event", ["RowsErased", "BatchBlocked", "BatchClosed"])
def test_nothing_is_done_with_a_batch_before_it_is_approved(answers, event):
    with pytest.raises(ConflictError, match=event):
        walk("batches", *WAITING, *answers, event)


def test_outcomes_are_counted_in_name_order():
    rows = [
        Disposition(str(number), "r", outcome, "")
        for number, outcome in enumerate(["held", "accepted", "held", "duplicate"])
    ]
    assert list(count_outcomes(rows).items()) == [("accepted", 1), ("duplicate", 1), ("held", 2)]
    assert count_outcomes([]) == {}
