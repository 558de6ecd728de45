"""What a model allows is told from its form, its gate, its holdout and its attack."""

from dataclasses import replace

import pytest
from models_of_others import WithoutReset
from small_tables import rows

from tasks.enrolling.outlook import enrolled_outlook, outlook, with_seconds
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.evidence.attack_power import AttackPower
from unlearning.training.architectures import mlp

SEEING = AttackPower(attack="rmia", auc=0.9, deviation=0.2, holdout_variance=1e-4)
BLIND = replace(SEEING, auc=0.65, deviation=0.3)
GENERAL = replace(BLIND, auc=0.52)


@pytest.fixture
def source(source_of):
    return source_of(rows(30), rows(1024, first=30))


def whys(found):
    return {one.name: one.why_not for one in (*found.rungs, *found.evidence)}


def look(services, source, power, **policy):
    changed = replace(source, policy=GatePolicy(**policy), unlearning=UnlearningConfig())
    return outlook(services, mlp(40, (4,), 2, seed=0), changed, power)


def test_everything_is_there_for_an_ordinary_module(services, source):
    assert not any(whys(look(services, source, SEEING)).values())


def test_evidence_that_the_policy_does_not_want_is_not_there(services, source):
    assert (
        "policy.references is 0"
        in whys(look(services, source, None, references=0))["reference models"]
    )


def test_canaries_need_a_holdout_of_some_size(services, source):
    assert not whys(look(services, source, None))["canaries"]
    small = replace(source, unlearning=UnlearningConfig(holdout_sample=500))
    found = outlook(services, mlp(40, (4,), 2, seed=0), small, None)
    assert "of about 500 holdout rows" in whys(found)["canaries"]


def test_what_a_request_ends_in_goes_with_the_power_for_its_rows(services, source):
    seen = look(services, source, SEEING).prospects
    assert [one.rows for one in seen] == [1, 10, 100]
    assert seen[2].power == pytest.approx(1, abs=1e-3)
    assert "if the gate passes it" in seen[2].ending
    blind = look(services, source, BLIND).prospects[0]
    assert blind.power is not None
    assert blind.power < 0.8
    assert "cannot decide" in blind.ending
    assert "nothing is left to see" in look(services, source, GENERAL).prospects[0].ending


def test_a_retrain_stands_alone_where_it_is_the_method(services, source):
    exact = replace(source, unlearning=UnlearningConfig(method="retrain"))
    found = outlook(services, mlp(40, (4,), 2, seed=0), exact, None)
    assert whys(found)["update"] == whys(found)["stronger update"] != ""
    assert (whys(found)["retrain"], whys(found)["canaries"]) == ("", "A retrain needs none.")
    assert {one.ending for one in found.prospects} == {"Erased by a retrain."}


def test_a_layer_that_cannot_be_made_new_is_named(services, source):
    found = outlook(services, WithoutReset(), source, None)
    assert "reset_parameters" in whys(found)["retrain"]
    assert found.advice[0].startswith("It cannot be retrained.")


def test_seconds_are_told_of_what_is_there(services, source):
    found = with_seconds(look(services, source, None, references=0), {"retrain": 7.0, "update": 1})
    times = {one.name: one.seconds for one in (*found.rungs, *found.evidence)}
    assert (times["retrain"], times["update"], times["reference models"]) == (7.0, 1, None)


def test_an_enrolled_model_has_an_outlook_without_being_measured_again(world):
    found = enrolled_outlook(world.services, "income")
    assert found.form.parameters == 40 * 8 + 8 + 8 * 2 + 2
    assert {one.ending for one in found.prospects} == {"Erased by a retrain."}
