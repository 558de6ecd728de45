"""What a request is told in one line: only what an effect shows, whatever became of the model."""

import pytest

from tasks.certificates.answers import Answer, OutOfReach

UPDATED = {"model": "income", "method": "calibrated", "is_exact": False, "outcome": "forgotten"}
RETRAINED = {**UPDATED, "method": "retrain", "is_exact": True}
WITHDRAWN = {"model": "hr", "parent_version": 3, "outcome": "withdrawn"}
OUT = {**WITHDRAWN, "outcome": "out of service"}
BOUNDED = {**UPDATED, "outcome": "nothing left to see"}


def said(*models, rows=1, **facts):
    return Answer(rows=rows, models=models, **facts).sentence


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ([UPDATED], "unlearned from income"),
        ([UPDATED, {**UPDATED, "model": "churn"}], "unlearned from churn and income"),
        ([{**UPDATED, "model": name} for name in "abcd"], "unlearned from 4 models"),
        (
            [BOUNDED],
            "after an update of income nothing was left to see of them",
        ),
        (
            [{**UPDATED, "outcome": "cannot decide"}],
            "the update of income was judged 'cannot decide'",
        ),
        ([RETRAINED], "left out when income was retrained"),
        ([{**RETRAINED, "in_batch": "b-0"}], "left out when income was retrained in batch b-0"),
        ([{**UPDATED, "in_batch": "b-0"}], "unlearned from income in batch b-0"),
        ([WITHDRAWN], "hr version 3 was withdrawn and still remembers"),
        (
            [{"model": "hr", "outcome": "earlier versions"}],
            "learned by versions of hr before the present one",
        ),
        ([OUT], "hr version 3 was out of service before and may still remember"),
        (
            [UPDATED, WITHDRAWN],
            "unlearned from income; hr version 3 was withdrawn and still remembers",
        ),
    ],
)
def test_each_model_is_told_by_its_own_outcome(models, told):
    assert said(*models) == f"1 row erased; {told}"


@pytest.mark.parametrize(
    "model", [WITHDRAWN, OUT, BOUNDED, {**UPDATED, "outcome": "cannot decide"}]
)
def test_nothing_is_called_unlearned_that_was_not_found_forgotten(model):
    assert "unlearned" not in said(model)


def test_a_model_without_the_rows_is_only_told_where_that_is_on_record():
    assert said() == "1 row erased; no model in service was trained on them"
    assert said(nothing_left=["income"]) == "1 row erased; nothing was left to forget in income"
    assert said(unknown=["hr"]) == "1 row erased; whether hr learned from them is not on record"


def test_rows_out_of_reach_are_not_called_erased():
    lost, closed = OutOfReach("file:///a", 2), OutOfReach("file:///b", 1, "Ada")
    assert said(UPDATED, rows=0, out_of_reach=[lost], is_reached=False) == (
        "2 rows in file:///a not erased, for it could not be opened; unlearned from income"
    )
    assert said(UPDATED, rows=3, out_of_reach=[closed]).startswith(
        "3 rows erased; 1 row in file:///b not erased, for Ada closed it;"
    )
    told = said(rows=0, out_of_reach=[OutOfReach("file:///b", closed_by="Ada")], is_reached=False)
    assert told.startswith("nothing erased in file:///b, which Ada closed: rows may still be there")
    assert said(rows=0, out_of_reach=[OutOfReach("file:///a")]).startswith(
        "others had deleted the rows before; purged from the files; nothing erased in file:///a, "
        "which could not be opened: "
    )
    assert said(rows=0).startswith("others had deleted the rows before; purged from the files;")


def test_rows_that_are_gone_are_told_by_who_erased_them():
    assert said(rows=0).startswith("others had deleted the rows before; purged from the files; ")
    meanwhile = said(rows=0, is_erased_meanwhile=True)
    assert meanwhile.startswith("the rows were erased with another request of the same person; ")
    assert said(is_erased_meanwhile=True).startswith("1 row erased; ")
