"""Checks of forgetting in plain words: the right number, the right way round, never too sure."""

from dataclasses import replace

import sample_evidence as sample

from tasks.report.check_answers import answer_of
from tasks.report.forgetting_words import power_sentence
from unlearning.config.gate_policy import GatePolicy
from unlearning.evidence.evidence import Probes
from unlearning.gate.gate import decide
from unlearning.gate.nothing_left import NOTHING_LEFT


def said(evidence, **options):
    checks = decide(evidence, GatePolicy(), **options).checks
    return {check.name: answer_of(check, evidence) for check in checks}


def test_a_candidate_that_forgot():
    found = said(sample.FORGOTTEN)
    assert all(one.passed for one in found.values())
    assert "by guessing; here 53 times. Up to 55 counts" in found["mia_auc_upper"].sentence
    assert "right 65 times in 100: the attack works" in found["known_positive"].sentence
    assert "noticed in 97 of 100 cases; at least 80" in found["attack_power"].sentence
    assert "83 of 100 forget rows, and for 81 of 100" in found["accuracy_advantage"].sentence
    assert "right 61 times in 100 on them" in found["canaries_caught"].sentence


def test_a_candidate_that_remembers_and_one_that_over_forgot():
    found = said(sample.attacked(0.61))["mia_auc_upper"]
    assert not found.passed
    assert "here 61 times, more than the 55 that count" in found.sentence
    found = said(sample.attacked(0.4))["mia_auc_lower"]
    assert not found.passed
    assert "only 40 times in 100, below 45" in found.sentence


def test_a_control_that_was_not_possible():
    bare = replace(sample.FORGOTTEN, probes=Probes(no_canaries="The holdout is too small."))
    found = said(bare)["canaries_made"]
    assert found.passed
    assert found.sentence.startswith("No control was possible. The holdout is too small.")
    assert found.sentence.endswith("policy asks for no more.")
    (failed,) = [
        answer_of(check, bare)
        for check in decide(bare, GatePolicy(require_canaries=True)).checks
        if not check.passed and check.name not in NOTHING_LEFT
    ]
    assert (failed.name, failed.measured, failed.accepted) == ("canaries_made", "0", "at least 1")
    assert "asks for no more" not in failed.sentence


def test_a_difference_that_rounding_would_hide_is_shown():
    found = said(sample.attacked(0.5523))["mia_auc_upper"]
    assert "here 55.2 times, more than the 55.0 that count" in found.sentence


def test_few_rows_that_say_nothing():
    found = said(sample.few(3))
    assert "silence afterwards proves nothing" in found["known_positive"].sentence
    assert "8 of 100 cases, and 80 are asked for" in found["attack_power"].sentence
    sure = replace(sample.FORGETTING, power=1.0)
    assert "more than 99 of 100" in power_sentence(replace(sample.FORGOTTEN, forgetting=sure))
    assert "these 3 rows" in power_sentence(sample.few(3))
    assert "this one row" in power_sentence(sample.few(1))


def test_the_pool_of_earlier_batches_is_named():
    forgetting = replace(
        sample.few(10).forgetting,
        pooled=replace(sample.POOL, count=200, before=130.0, after=126.0),
        pooled_power=0.9,
    )
    evidence = replace(sample.few(10), forgetting=forgetting)
    found = said(evidence)
    assert "right 65 times in 100 (over 200 rows" in found["known_positive"].sentence
    assert "noticed in 90 of 100 cases (over 200 rows" in found["attack_power"].sentence
    assert "here 63 times, more than the 55" in found["pooled_mia_auc_upper"].sentence
    assert found["pooled_mia_auc_upper"].sentence.startswith("Together with earlier batches")
    assert "90 of 100" in power_sentence(evidence, decide(evidence, GatePolicy()).checks)


def test_rows_of_which_nothing_is_to_be_seen():
    found = said(sample.few(40))
    assert found["nothing_left_auc"].question == "Was there anything to see of these rows?"
    assert not found["nothing_left_auc"].passed
    assert "more than the 60 that count as nothing" in found["nothing_left_auc"].sentence
    assert "tells them from new ones: it works" in found["attack_works"].sentence
