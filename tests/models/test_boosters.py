"""Boosters of XGBoost and LightGBM forget people, from their log to the certificate."""

import json
import sys

import mlflow
import pytest
from deltalake import DeltaTable
from other_libraries import People
from small_tables import subject

from tasks.journal.events.enrollment import DatasetSpec

pytestmark = pytest.mark.models

GONE = range(6)
NUMBERS = ("age", "hours", "member")
XGBOOST = """\
import xgboost


def train(rows, *, seed, init):
    table = rows.to_pandas()
    label = (table.pop("label") == "low").astype(int)
    return xgboost.XGBClassifier(n_estimators=20, max_depth=3, random_state=seed).fit(table, label)
"""
BOOSTER = """\
import xgboost


def train(rows, *, seed, init):
    table = rows.to_pandas()
    wage = table.pop("wage")
    data = xgboost.DMatrix(table, wage)
    return xgboost.train({"max_depth": 3, "seed": seed}, data, num_boost_round=20)
"""
LIGHTGBM = """\
import lightgbm


def train(rows, *, seed, init):
    table = rows.to_pandas()
    label = table.pop("label")
    return lightgbm.LGBMClassifier(
        n_estimators=20, num_leaves=7, random_state=seed, verbose=-1
    ).fit(table, label)
"""


@pytest.fixture
def people(services, tmp_path):
    return People(services, tmp_path)


def source(people, code, label="label", **changes):
    loss = changes.pop("loss", "cross_entropy")
    spec = DatasetSpec(people.table, NUMBERS, label, "subject_id", **changes)
    return people.source(code, dataset=spec, loss=loss)


def forget(people, code, flavour, label="label", **changes):
    people.log(people.trained(code, label, NUMBERS), flavour, pip_requirements=[])
    people.enroll(source(people, code, label, **changes))
    assert people.erase(GONE) == []
    left = DeltaTable(people.table).to_pyarrow_table()["subject_id"].to_pylist()
    assert not {subject(n) for n in GONE} & set(left)
    assert people.services.registry.alias_version("wages") == 2
    store = people.services.store
    told = [json.loads(store.get(one.key)) for one in store.list_objects("certificates/")]
    assert {m["version"] for one in told for m in one.get("models", [])} == {2}


def test_a_classifier_of_xgboost_forgets(people):
    forget(people, XGBOOST, mlflow.xgboost, classes=("high", "low"))


def test_a_plain_booster_of_xgboost_that_predicts_a_number_forgets(people):
    forget(people, BOOSTER, mlflow.xgboost, "wage", target="number", loss="squared_error")


def test_a_classifier_of_lightgbm_forgets(people):
    forget(people, LIGHTGBM, mlflow.lightgbm)
    assert "lightgbm" in sys.modules
