"""What the report tells of one model: every rung, and what is missing of it."""

from dataclasses import replace

import pytest
import sample_evidence as sample

from tasks.certificates.certified_models import certified_models
from tasks.journal.events.attempts import AttemptPlanned, CandidateFailed, RungChosen
from tasks.report.model_facts import model_facts


def test_every_rung_is_told_with_its_reason(batch):
    batch.plan()
    batch.judge(sample.attacked(0.62))
    why = "The update left rows remembered: mia_auc_upper."
    made, of = batch.of("a-1")
    chosen = RungChosen(**of, rung="stronger", reason=why)
    batch.happen(made.ids.chosen("stronger"), chosen)
    batch.plan("a-2", rung="stronger", reason=why)
    batch.judge(sample.attacked(0.6), "a-2")
    batch.plan("a-3", rung="retrain", method="retrain", reason="No update was enough.")
    batch.judge(sample.attacked(0.51), "a-3", exact=True)
    batch.promote("a-3")
    batch.erase()
    text = batch.text()
    assert (
        text.index("Update (calibrated)") < text.index("Stronger update") < text.index("Retrain :")
    )
    assert text.count("Did not pass (remembered). Failed: Are the rows still remembered?") == 2
    assert f"Stronger update (calibrated): {why}" in text
    assert "Retrain : No update was enough." in text
    assert "Passed the gate; it became version 2." in text
    assert "What it never saw it cannot remember" in text
    assert "only its usefulness was judged" in text
    assert "What is measured on forget rows is shown and not judged" in text
    assert "others that the update did not read" not in text
    # What judged the rungs before is not shown as if it judged the last.
    assert "✗ Failed" not in text


def test_what_too_few_rows_could_not_show_of_a_retrain_is_told_and_is_no_failure(batch):
    batch.plan(rung="retrain", method="retrain", reason="No update was enough.")
    few = replace(sample.FORGOTTEN.holdout_accuracy_loss, rows=20, possible=0.3)
    batch.judge(replace(sample.FORGOTTEN, holdout_accuracy_loss=few), exact=True)
    batch.promote()
    text = batch.text()
    assert "Passed the gate (on too few rows to tell: Would a loss for new people be seen?)" in text
    assert "what too few rows could not show did not count" in text
    assert "○ Not shown. On 20 rows" in text
    assert "✗ Failed" not in text
    batch.enroll()
    (model,) = certified_models(batch.services, batch.name)
    assert model.stated["not_shown"] == ["possible_holdout_loss"]


def lose_curves(batch):
    batch.store.delete("curves/a-1.json")


def change_curves(batch):
    batch.store.put("curves/a-1.json", batch.store.get("curves/a-1.json") + b" ")


@pytest.mark.parametrize(
    ("damage", "said"),
    [(lose_curves, "are missing; restore"), (change_curves, "were changed since; restore")],
)
def test_lost_or_changed_curves_are_said_and_not_drawn(erased, damage, said):
    damage(erased)
    text = erased.text()
    assert f"Missing: The curves under curves/a-1.json {said} that object." in text
    assert "Replaced; part of the evidence is missing" in text
    assert "with a reservation" in text
    assert "<svg" not in erased.page()
    # What is still on record is still told.
    assert "here 53 times" in text


def test_lost_evidence_is_said_and_not_hidden(batch):
    batch.plan()
    batch.make()
    batch.decide()
    batch.promote()
    batch.erase()
    text = batch.text()
    assert "Missing: The evidence was not recorded." in text
    assert "with a reservation" in text
    assert "Forgotten, as far as" not in text
    assert "0.530; at most 0.550" in text


def test_a_promotion_without_a_decision_is_no_good_news(batch):
    batch.plan()
    batch.promote()
    batch.erase()
    text = batch.text()
    assert "part of the evidence is missing" in text
    assert "with a reservation" in text


def test_nothing_is_missing_before_there_is_a_candidate(batch):
    made = batch.plan()
    (model,) = model_facts(batch.store, batch.history())
    assert (model.name, model.state, model.last.attempt) == ("income", "planned", made)
    assert model.last.troubles == ()


def test_why_no_candidate_was_made_is_told_until_one_is_judged(batch):
    made = batch.plan()
    _, of = batch.of("a-1")
    for reason in ("It has batch norm.", "It has dropout."):
        failed = CandidateFailed(**of, reason=reason)
        batch.happen(made.ids.failed(reason), failed)
    (model,) = model_facts(batch.store, batch.history())
    assert model.last.failure == "It has dropout."
    assert "Led nowhere: It has dropout." in batch.text()
    batch.judge()
    (model,) = model_facts(batch.store, batch.history())
    assert model.last.failure == ""


def test_models_come_in_name_order_and_each_with_its_own_rungs(batch):
    batch.plan("a-1", model="photos")
    batch.plan("a-2", model="income")
    batch.plan("a-3", model="photos", rung="stronger")
    found = model_facts(batch.store, batch.history())
    keys = {model.name: [rung.attempt.key for rung in model.rungs] for model in found}
    assert list(keys.items()) == [("income", ["a-2"]), ("photos", ["a-1", "a-3"])]


def test_a_plan_that_was_left_and_came_back_counts_where_it_came_back(batch):
    first = batch.plan("a-1")
    batch.plan("a-2", row_count=3999)
    batch.happen(first.ids.planned_again(1), AttemptPlanned(attempt=first))
    (model,) = model_facts(batch.store, batch.history())
    assert [rung.attempt.key for rung in model.rungs] == ["a-2", "a-1"]
