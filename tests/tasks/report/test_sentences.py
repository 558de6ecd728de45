"""The headlines and sentences of the report: good news only where the evidence is good."""

from dataclasses import replace

import sample_evidence as sample

from tasks.journal.events.attempts import BatchBlocked, RungChosen
from tasks.report.sentences import further_answers
from unlearning.evidence.evidence import Probes


def test_slices_that_were_not_judged_are_counted_on_the_page(batch):
    batch.plan()
    batch.judge(replace(sample.FORGOTTEN, small_slices=3))
    assert "3 slices have too few rows that it never saw for the gate" in batch.text()


def test_a_control_that_was_not_possible_stands_on_the_page(batch):
    batch.plan()
    probes = replace(sample.FORGOTTEN.probes, canaries=None, no_canaries="Too few holdout rows.")
    batch.judge(replace(sample.FORGOTTEN, probes=probes))
    batch.promote()
    assert "No control was possible. Too few holdout rows." in batch.text()


def test_a_question_that_a_model_cannot_be_asked_is_said_to_be_left_out():
    unasked = Probes(no_relearning="It has no gradients.")
    said = further_answers(replace(sample.FORGOTTEN, probes=unasked))
    assert said[-1] == "Whether it learns forget rows faster was not asked. It has no gradients."


def test_a_blocked_batch_is_open_and_says_why(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    made, of = batch.of("a-1")
    chosen = RungChosen(
        **of, rung="wait", reason="No rung was enough.", obstacle="It has batch norm."
    )
    batch.happen(made.ids.chosen("wait"), chosen)
    blocked = BatchBlocked(
        **of, failed=("mia_auc_upper",), reason="income failed the gate: mia_auc_upper."
    )
    batch.happen(made.ids.blocked, blocked)
    text = batch.text()
    assert "Not erased yet: a model did not pass the gate" in text
    assert "Due on 2026-02-02." in text
    assert "3 blocked" in text
    assert "income failed the gate: mia_auc_upper." in text
    assert "It was not retrained: It has batch norm." in text
    assert "here 70 times, more than the 55" in text
    assert "Erased" not in text


def test_a_withdrawn_model_is_a_reservation(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.withdraw()
    batch.erase()
    text = batch.text()
    assert "with a reservation" in text
    assert "Model income: taken out of service." in text
    assert "nobody is served by it now. 4 days are left." in text
    assert "withdrawn now" in text


def test_a_promotion_against_the_gate_is_said(batch):
    batch.plan()
    batch.judge(sample.attacked(0.7))
    batch.promote()
    batch.erase()
    text = batch.text()
    assert "Replaced by a version that did not pass" in text
    assert "Did not pass (remembered)" in text
    assert "with a reservation" in text


def test_what_was_asked_besides_is_told_with_what_forgotten_would_mean():
    said = further_answers(sample.FORGOTTEN)
    assert [sentence.rpartition(". ")[2] for sentence in said] == [
        "Guessing: 50.",
        "Forgotten: none.",
        "Guessing: 50.",
        "Forgotten: 1.",
        "Alike: 0.",
    ]
    assert "names 1.0 point in 100 fewer forget rows than unseen rows (± 4.0 points)" in said[1]


def test_what_could_not_be_asked_is_left_out():
    bare = replace(sample.FORGOTTEN, probes=Probes())
    assert len(further_answers(bare)) == 1
