"""The gate's checks as questions and answers, also where a number or a word for it is missing."""

from dataclasses import replace

import sample_evidence as sample

from tasks.report.check_answers import answer_of
from unlearning.config.gate_policy import GatePolicy
from unlearning.gate.gate import decide
from unlearning.gate.gate_checks import Check


def said(evidence, **options):
    checks = decide(evidence, GatePolicy(), **options).checks
    return {check.name: answer_of(check, evidence) for check in checks}


def test_what_was_measured_stands_beside_what_is_accepted():
    found = said(sample.FORGOTTEN)
    assert (found["mia_auc_upper"].measured, found["mia_auc_upper"].accepted) == (
        "0.530",
        "at most 0.550",
    )
    assert (found["same_rows"].measured, found["same_rows"].accepted) == ("0", "at most 0")


def test_every_check_of_the_gate_has_words_of_its_own():
    pooled = replace(
        sample.few(10).forgetting, pooled=replace(sample.POOL, count=200), pooled_power=0.9
    )
    below = replace(pooled, judged=replace(pooled.judged, after=0.4))
    for forgetting in (sample.FORGETTING, pooled, below):
        evidence = replace(sample.FORGOTTEN, forgetting=forgetting)
        for name, one in said(evidence).items():
            assert one.question.endswith("?"), name


def test_a_missing_number_a_strange_check_and_lost_evidence():
    broken = Check(
        name="mia_auc_upper", value=None, lower=None, upper=0.55, passed=False, meaning=""
    )
    assert "missing" in answer_of(broken, sample.FORGOTTEN).sentence
    assert answer_of(broken, sample.FORGOTTEN).measured == "missing"
    new = Check(
        name="slice_loss", value=0.3, lower=0.1, upper=0.2, passed=False, meaning="A slice."
    )
    found = answer_of(new, sample.FORGOTTEN)
    assert (found.question, found.sentence) == ("Slice loss", "A slice.")
    assert found.accepted == "0.100 to 0.200"
    known = replace(new, name="mia_auc_upper")
    assert answer_of(known, None).sentence == "A slice."
