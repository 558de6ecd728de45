"""A plan of the next run, made by hand."""

from factories import model_preflight

from flows.planned_run import PlannedBatch, PlannedModel
from tasks.certificates.status import RequestSummary
from unlearning.policy.prospects import Prospect


def request(name):
    return RequestSummary(
        record_id=name,
        request_id=name,
        status="accepted",
        is_open=True,
        reason="valid",
        meaning="",
        batch="b-1",
        at="",
        certificate="",
        due_on="2026-12-20",
    )


def model(**changes):
    return PlannedModel(
        preflight=model_preflight(power=0.25, **changes),
        reason="It is over the budget.",
        prospect=Prospect(rows=5, power=0.25, ending="Erased by a retrain."),
    )


def batch(**changes):
    known = {
        "batch": "b-1",
        "due_on": "2026-12-20",
        "requests": (request("CASE-1"),),
        "models": (model(seconds=3.0, retrain_seconds=40.0),),
        "rows": {"file:///train": 1},
        "waits": (),
        "trouble": "",
    }
    return PlannedBatch(**(known | changes))
