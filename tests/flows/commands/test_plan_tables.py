"""What a plan prints: requests, rows, models, what follows, and what is in the way."""

from made_plans import batch, model

from flows.commands.plan_tables import print_plan
from flows.console import Plain
from flows.planned_run import Plan


def printed(capsys, *found, growing=0):
    print_plan(Plain(width=220), Plan(batches=found, growing=growing))
    return " ".join(capsys.readouterr().out.split())


def test_each_batch_is_told_with_requests_rows_models_and_costs(capsys):
    text = printed(capsys, batch())
    for part in ("nothing was changed", "Batch b-1, due on 2026-12-20", "CASE-1", "accepted"):
        assert part in text
    for part in ("file:///train: 1 row to erase", "income version 1, serving", "5 of 100", "25%"):
        assert part in text
    assert "3.0 seconds; a retrain 40.0 seconds" in text
    assert "It is over the budget. Erased by a retrain." in text
    assert "expunge status" not in text


def test_a_batch_that_waits_or_stops_says_why_and_what_is_next(capsys):
    text = printed(capsys, batch(waits=("5 rows are many.",)), batch(trouble="The alias is gone."))
    assert "It would wait for approval. 5 rows are many." in text
    assert "It would stop: The alias is gone." in text
    assert text.endswith("expunge status")


def test_where_nothing_is_open_that_is_said_and_files_to_come_are_counted(capsys):
    text = printed(capsys, growing=2)
    assert "2 files that may still be growing" in text
    assert "Nothing is open" in text


def test_a_retrain_is_told_once_and_an_unknown_time_as_unknown(capsys):
    exact = model(method="retrain", seconds=40.0, retrain_seconds=40.0)
    assert "a retrain 40" not in printed(capsys, batch(models=(exact,)))
    assert "unknown" in printed(capsys, batch(models=(model(),)))


def test_the_recipe_of_a_retrain_is_named(capsys):
    named = {"recipe": "1a2b3c4d5e6f", "seconds": 3.0}
    said = printed(capsys, batch(models=(model(**named),)))
    assert "3.0 seconds; a retrain by recipe 1a2b3c4d5e6f unknown" in said
    exact = model(method="retrain", **named)
    assert "3.0 seconds by recipe 1a2b3c4d5e6f" in printed(capsys, batch(models=(exact,)))
