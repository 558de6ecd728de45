import pytest
from every_event import EVERY_EVENT

from tasks.journal.events import transitions
from tasks.journal.events.catalog import FACTS
from unlearning.errors import ConflictError
from unlearning.policy.deletion import STATUS_MEANING, TERMINAL, is_open

SAMPLES = {type(facts).__name__: facts for facts in EVERY_EVENT}
TABLES = {
    kind: {(status, event.__name__): after for (status, event), after in table.items()}
    for kind, table in transitions.TRANSITIONS.items()
}


def next_status(kind, status, event):
    return transitions.next_status(kind, status, SAMPLES[event])


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
STEPS = [(kind, *step) for kind, table in TABLES.items() for step in table]
FORBIDDEN = [
    (kind, status, event)
    for kind, table in TABLES.items()
    for status in sorted(STATUSES[kind])
    for event in sorted({event for _, event in table})
    if (status, event) not in table
]


def reachable(kind, start):
    found, new = set(), {start}
    while new:
        found |= new
        new = {after for (status, _), after in TABLES[kind].items() if status in found} - found
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


OUTSIDE = [
    (kind, event.__name__)
    for kind, events in FACTS.items()
    for event in events
    if event.__name__ not in {name for _, name in TABLES[kind]}
]


@pytest.mark.parametrize(("kind", "event"), OUTSIDE)
@pytest.mark.parametrize("status", ["", "accepted", "erased"])
def test_an_event_that_no_table_names_changes_nothing(kind, event, status):
    assert next_status(kind, status, event) == status


def test_every_event_of_a_table_belongs_to_its_kind_of_stream():
    for kind, table in transitions.TRANSITIONS.items():
        assert {event for _, event in table} <= set(FACTS[kind])


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
        ("batches", [*WAITING, "ApprovalRequested", "QuestionRetracted"], "validated"),
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
