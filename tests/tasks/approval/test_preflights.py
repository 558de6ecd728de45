"""What a person is shown before a large batch: what is known, what is expected, and no id."""

import pytest
from factories import attempt, measured
from small_tables import MARK

from tasks.approval import preflights, questions
from tasks.attempts import ladder
from tasks.enrolling.timed_trainings import note_retrain
from tasks.journal.events.catalog import model_stream
from unlearning.config.approval_policy import ApprovalPolicy
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError, UnsupportedModelError

ROWS = 100


def test_the_preflight_says_what_is_known_and_names_nobody(world):
    batch = world.batch(range(30))
    world.process(batch)
    asked = world.asked(batch)
    (model,) = asked.models
    assert (asked.batch, asked.number, asked.due_on) == (batch, 1, "2026-02-02")
    assert (model.forget_count, model.row_count, model.share) == (30, ROWS, 0.3)
    assert (model.parent_version, model.is_serving) == (1, True)
    # The deletion budget forces a retrain, and a person must know that.
    assert model.method == "retrain"
    assert (model.seconds, model.holdout_change, model.power) == (None, None, None)
    assert model.retrain_seconds is None
    assert "a retrain takes nobody knows how long" in questions.describe(world.services, batch)
    assert asked.reasons == ["income has to forget 30 of 100 rows (30.0%); without approval 10.0%."]
    assert "30 of 100 rows (30.0%), retrain" in questions.describe(world.services, batch)
    for info in world.store.list_objects("journal/"):
        assert MARK.encode() not in world.store.get(info.key)


def test_the_preflight_names_the_recipe_of_a_retrain(world):
    world.reenroll(recipe=f"recipes/{'5e' * 32}.py")
    batch = world.batch(range(30))
    world.process(batch)
    (model,) = world.asked(batch).models
    assert model.recipe == "5e" * 6
    assert f"how long, by recipe {model.recipe}" in questions.describe(world.services, batch)


@pytest.mark.parametrize(
    ("resort", "said"),
    [
        ("ask", "The model stays in service and its requests stay open until somebody decides."),
        ("withdraw", "From 2026-01-30 on the model is taken out of service, as its owner chose"),
        ("retrain-later", "until its owner has trained it anew"),
    ],
)
def test_the_preflight_says_what_follows_if_no_rung_is_enough(world, resort, said):
    world.reenroll(policy=GatePolicy(last_resort=resort))
    batch = world.batch(range(30))
    world.process(batch)
    text = questions.describe(world.services, batch)
    assert "- income, if no rung is enough: " in text
    assert said in text


def test_the_preflight_says_that_a_model_cannot_be_retrained(world, monkeypatch):
    def refuse(*_):
        raise UnsupportedModelError("Its dropout is lost.")

    monkeypatch.setattr(ladder, "inputs", refuse)
    batch = world.batch(range(30))
    world.process(batch)
    (model,) = world.asked(batch).models
    assert model.obstacle == "Its dropout is lost."
    text = questions.describe(world.services, batch)
    assert "It cannot be retrained: Its dropout is lost." in text


def test_a_question_is_asked_also_where_a_system_is_away(world, monkeypatch):
    def away(*_):
        raise DataError("The table is away.")

    monkeypatch.setattr(ladder, "inputs", away)
    batch = world.batch(range(30))
    world.process(batch)
    assert world.asked(batch).models[0].obstacle == ""


def test_the_preflight_says_how_long_a_retrain_would_take(world):
    config = UnlearningConfig().retraining
    note_retrain(world.services, attempt(), config, 50, 100.0)
    batch = world.batch(range(30))
    world.process(batch)
    (model,) = world.asked(batch).models
    # Of 100 rows 30 are forgotten, and the earlier one took 100 seconds for 50 rows.
    assert model.retrain_seconds == pytest.approx(140.0)
    assert (model.method, model.seconds) == ("retrain", model.retrain_seconds)
    assert "a retrain takes 2.3 minutes" in questions.describe(world.services, batch)


def test_served_models_come_first_then_the_largest_share(world):
    world.enroll("a-small", row_count=10 * ROWS)
    world.enroll("z-large", row_count=ROWS // 2)
    world.enroll("retired", row_count=ROWS // 2)
    batch = world.batch(range(20))
    world.steps.validate_batch(batch)
    world.steps.resolve_rows(batch)
    plans = world.plans(batch)
    world.champions["retired"] = 7
    assert not world.steps.seek_approval(batch, plans)
    names = [m.model for m in world.asked(batch).models]
    assert names == ["z-large", "income", "a-small", "retired"]
    assert [m.is_serving for m in world.asked(batch).models] == [True, True, True, False]
    assert len(world.asked(batch).reasons) == 3


def test_earlier_candidates_of_the_same_method_say_what_to_expect(world):
    update = attempt(batch="b-earlier", forget_count=4)
    retrain = update.by("retrain", rung="retrain", reason="It still remembers.")
    for one, seconds, change in ((update, 4.0, -0.02), (retrain, 900.0, -0.8)):
        facts = measured(one, seconds=seconds, holdout_change=change)
        world.journal.append(model_stream("income"), one.ids.measured, facts)
    world.reenroll(approval=ApprovalPolicy(max_share=0.01))
    batch = world.batch(range(8))
    world.process(batch)
    (model,) = world.asked(batch).models
    assert model.method == "calibrated"
    assert model.seconds == pytest.approx(8.0)
    assert model.holdout_change == pytest.approx(-0.04)
    assert model.power is None


def test_what_is_asked_is_what_was_recorded_first(world):
    batch = world.batch(range(11))
    world.process(batch)
    asked = world.asked(batch)
    assert preflights.ask(world.services, batch, [], number=1) == asked


def test_only_models_above_their_limits_need_a_person(world):
    world.enroll("lenient", approval=ApprovalPolicy(max_share=1.0))
    world.enroll("strict", approval=ApprovalPolicy(always=True))
    batch = world.batch(range(5))
    world.process(batch)
    why = {plan.model: preflights.why_ask(world.services, plan) for plan in world.plans(batch)}
    assert why == {
        "income": "",
        "lenient": "",
        "strict": "Every batch that strict has to forget needs approval.",
    }
