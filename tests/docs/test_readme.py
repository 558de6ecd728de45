"""What the first page shows of a run is said by the code in just these words."""

import re
from typing import Any

from docs.prose import ROOT

from flows.commands.tables import model_table, request_table
from flows.console import Plain
from tasks.certificates.answers import Answer
from tasks.certificates.certified_spellings import Spellings
from tasks.certificates.status import ModelSummary, RequestSummary
from tasks.intake.suite import HELD, suite
from unlearning.evidence.utility_report import EvaluationReport

PAGE = (ROOT / "README.md").read_text()
SHOWN = [line.split() for line in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()]
MODEL = "census-income"


def printed(table) -> list[list[str]]:
    console = Plain(width=150)
    with console.capture() as capture:
        console.print(table)
    text = re.sub(r"[^\x00-\x7f\N{RIGHTWARDS ARROW}]", " ", capture.get())
    return [line.split() for line in text.splitlines() if line.strip()]


def summary(number: int, status: str, reason: str) -> RequestSummary:
    return RequestSummary(
        f"r-{number}", f"CASE-{number:04d}", status, False, reason, "", "", "", ""
    )


def test_requests_are_told_as_a_run_tells_them():
    unlearned = {"model": MODEL, "method": "calibrated", "is_exact": False, "outcome": "forgotten"}
    reasons = [reason for _, _, reason in suite()]
    (future,) = [reason for reason in reasons if "future" in reason]
    told = [
        *(summary(n, "erased", Answer(rows=1, models=[unlearned]).sentence) for n in range(300)),
        summary(1000, "not_found", Spellings({"t": (1,)}, {}).in_vain("r")),
        summary(1001, "on_hold", HELD),
        summary(1002, "quarantined", future),
    ]
    assert {tuple(line) for line in SHOWN[:4]} <= set(map(tuple, printed(request_table("", told))))


def report(retain: float, forget: float, holdout: float, auc: float) -> EvaluationReport:
    known: dict[str, Any] = dict.fromkeys(EvaluationReport.__dataclass_fields__, 0)
    known |= {"retain_accuracy": retain, "forget_accuracy": forget, "holdout_accuracy": holdout}
    known["mia_auc"] = auc
    return EvaluationReport(**known)


def test_a_model_is_told_as_a_run_tells_it():
    told = ModelSummary(
        model=MODEL,
        parent_version=1,
        version=2,
        is_withdrawn=False,
        forget_count=300,
        of_few=False,
        seconds=0.6,
        before=report(0.992, 0.983, 0.813, 0.561),
        after=report(0.987, 0.817, 0.822, 0.502),
        failed=[],
        passed=True,
        reason="",
        method="calibrated",
        rung="update",
        outcome="forgotten",
        quality="",
    )
    lines = set(map(tuple, printed(model_table(told))))
    assert {tuple(line) for line in SHOWN[5:] if line != ["before", "after"]} <= lines
