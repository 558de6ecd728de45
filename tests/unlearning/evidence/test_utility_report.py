import json
from dataclasses import asdict

from pydantic import TypeAdapter

from unlearning.evidence.utility_report import (
    Change,
    GroupUtility,
    Interval,
    SetUtility,
    Utility,
)

SOME = Interval(lower=0.7, upper=0.9)
CHANGE = Change(
    before=0.85, after=0.8, lower=-0.1, upper=0.0, before_interval=SOME, after_interval=SOME
)
SET = SetUtility(
    rows=200,
    accuracy=CHANGE,
    loss=CHANGE,
    auroc=None,
    churn=0.1,
    churn_interval=SOME,
    newly_wrong=0.05,
    newly_wrong_interval=SOME,
    groups=(GroupUtility(column="class", value="1", rows=90, accuracy=CHANGE),),
    small_groups=1,
)


def test_a_report_that_was_written_down_reads_as_it_was():
    report = Utility(retain=SET, holdout=SET)
    text = json.dumps(asdict(report), allow_nan=False)
    assert TypeAdapter(Utility).validate_json(text) == report
