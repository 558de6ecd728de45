from dataclasses import replace

import sample_evidence as sample

from flows.commands.tables import model_table, next_commands, request_table
from flows.console import Plain
from tasks.certificates.status import RequestSummary, batch_models


def summary(number, status="erased", reason="", request_id=None):
    name = f"CASE-{number}" if request_id is None else request_id
    return RequestSummary(f"r-{number}", name, status, False, reason, "", "b-1", "", "")


def shown(*found):
    console = Plain(width=100)
    with console.capture() as capture:
        console.print(request_table("Requests", found))
    return capture.get().splitlines()


def test_requests_that_ended_alike_share_a_line_if_they_are_many():
    lines = shown(*map(summary, range(5)), summary(7, "on_hold", "Under a legal hold."))
    (many,) = (line for line in lines if "erased" in line)
    assert "5 requests, such as CASE-0" in many
    (one,) = (line for line in lines if "CASE-7" in line)
    assert "on hold" in one
    assert "Under a legal hold." in one


def test_few_requests_have_a_line_each_and_those_without_a_number_their_record():
    text = "\n".join(shown(summary(1), summary(2), summary(3, request_id="")))
    assert "CASE-1" in text
    assert "CASE-2" in text
    assert "record r-3" in text


def test_who_decides_is_told_what_to_type():
    assert len(next_commands("waiting", "b-1")) == 2
    assert "expunge reject b-1 --by NAME --reason TEXT" in next_commands("waiting", "b-1")
    assert next_commands("rejected", "b-1") == ["expunge approve b-1 --by NAME"]


def test_measures_of_so_few_people_that_they_describe_one_are_not_shown(batch):
    batch.plan()
    batch.judge()
    (model,) = batch_models(batch.services, batch.name)
    assert [measured(replace(model, of_few=few)) for few in (True, False)] == [False, True]


def measured(model) -> bool:
    console = Plain(width=120)
    with console.capture() as capture:
        console.print(model_table(model))
    return "withheld" not in capture.get()


def test_of_a_model_of_numbers_its_mean_error_is_shown(batch):
    batch.plan()
    batch.judge(replace(sample.FORGOTTEN, holdout_error=sample.NUMBER_ERROR))
    (model,) = batch_models(batch.services, batch.name)
    console = Plain(width=150)
    with console.capture() as capture:
        console.print(model_table(model))
    (line,) = [one for one in capture.get().splitlines() if "mean error" in one]
    assert "0.61" in line
    assert "less than 0.5 off counts as right" in line


def test_what_is_not_judged_of_a_retrained_model_says_so_on_its_line(batch):
    batch.plan(rung="retrain", method="retrain", reason="No update was enough.")
    batch.judge(exact=True)
    (model,) = batch_models(batch.services, batch.name)
    console = Plain(width=150)
    with console.capture() as capture:
        console.print(model_table(model))
    lines = capture.get().splitlines()
    for name in ("forget accuracy", "mia_auc"):
        (line,) = [one for one in lines if name in one]
        assert "not judged: a retrained model never read these rows" in line
    assert sum("not judged" in one for one in lines) == 2
