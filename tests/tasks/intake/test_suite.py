import pandas as pd
import pytest

from tasks.intake.suite import HELD, ON_RECORD, USED, failures, suite

SOUND = {
    "readable": True,
    "known_fields": True,
    "request_id": "R-1",
    "subject_id": "person-1",
    "ids_apart": True,
    "kind_known": True,
    "fits_type": True,
    "names_somebody": True,
    "received_at": "2026-01-02T03:04:05Z",
    "received_readable": True,
    "received_past": True,
    "received_since_law": True,
    "ground": None,
    "one_subject": True,
    "first_of_id": True,
    "not_held": True,
}


def failing(*changes):
    """Outcome and reason of each rule that fails, with the numbers of the rows that fail it."""
    rows = [{"row": number, **SOUND, **change} for number, change in enumerate(changes)]
    found = failures(pd.DataFrame(rows))
    return [(outcome, reason, rows) for outcome, reason, rows in found if rows]


def test_a_sound_row_fails_nothing():
    assert failing({}) == []


def test_every_rule_can_fail_and_says_which_row_does():
    flaws = [
        {"readable": False},
        {"known_fields": False},
        {"request_id": None},
        {"request_id": "has space"},
        {"subject_id": None},
        {"subject_id": " padded "},
        {"ids_apart": False},
        {"kind_known": False},
        {"fits_type": False},
        {"names_somebody": False},
        {"received_at": None},
        {"received_readable": False},
        {"received_past": False},
        {"received_since_law": False},
        {"ground": "z"},
        {"one_subject": False},
        {"first_of_id": False},
        {"not_held": False},
    ]
    found = failing({}, *flaws)
    assert [(outcome, reason) for outcome, reason, _ in found] == [
        (outcome, reason) for _, outcome, reason in suite()
    ]
    assert [rows for _, _, rows in found] == [[number + 1] for number in range(len(flaws))]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("one_subject", ("quarantined", USED)),
        ("first_of_id", ("duplicate", ON_RECORD)),
        ("not_held", ("on_hold", HELD)),
    ],
)
def test_only_an_id_that_was_used_and_a_hold_are_no_fault_of_the_row(column, said):
    assert failing({column: False}) == [(*said, [0])]


def test_of_several_flaws_the_first_rule_comes_first():
    found = failing({"readable": False, "not_held": False})
    assert [outcome for outcome, _, _ in found] == ["quarantined", "on_hold"]
