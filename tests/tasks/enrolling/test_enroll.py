"""What is said when a model is enrolled."""

from dataclasses import replace

import pytest
from deltalake import write_deltalake
from tables import MARK, rows

from tasks.datasets.spec import DatasetSpec
from tasks.enrolling.enroll import (
    ModelSource,
    adopt_version,
    pinned,
    warn_of_few_rows,
    warn_of_shared_subjects,
)
from tasks.registry import mlflow_registry
from tasks.store.opening import open_store
from unlearning.config.gate_policy import GatePolicy
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.errors import DataError, SettingsError


def source_of(folder, train, holdout, *, sample=100):
    tables = [(folder / name).as_uri() for name in ("train", "holdout")]
    for uri, some in zip(tables, (train, holdout), strict=True):
        write_deltalake(uri, some)
    return ModelSource(
        model="income",
        dataset=DatasetSpec(tables[0], ("features",), "label", "subject_id"),
        dataset_version=0,
        holdout=tables[1],
        unlearning=UnlearningConfig(retain_sample=sample, holdout_sample=sample),
        policy=GatePolicy(),
    )


def test_the_training_table_is_no_holdout(tmp_path):
    source = source_of(tmp_path, rows(9), rows(9, first=9))
    with pytest.raises(SettingsError, match="is the training table"):
        pinned(replace(source, holdout=f"{source.dataset.uri}/"))
    assert pinned(source).dataset_version == 0


@pytest.mark.parametrize(("first", "expected"), [(300, []), (298, ["2 of 20 subjects"])])
def test_people_with_rows_in_both_tables_are_counted(tmp_path, caplog, first, expected):
    warn_of_shared_subjects(source_of(tmp_path, rows(300), rows(20, first=first)))
    assert [one in said for one, said in zip(expected, caplog.messages, strict=True)] == [
        True for _ in expected
    ]
    assert MARK not in caplog.text


@pytest.mark.parametrize(
    ("holdout", "sample", "expected"),
    [
        (200, 100, []),
        (199, 100, ["about 99 holdout rows"]),
        (400, 99, ["about 99 retain rows", "about 99 holdout rows"]),
    ],
)
def test_rows_too_few_to_judge_on_are_named(tmp_path, caplog, holdout, sample, expected):
    warn_of_few_rows(source_of(tmp_path, rows(300), rows(holdout), sample=sample))
    assert len(caplog.messages) == len(expected)
    assert all(one in said for one, said in zip(expected, caplog.messages, strict=True))


def test_a_model_that_nobody_serves_is_not_enrolled_without_a_version(home, tmp_path):
    source = source_of(tmp_path, rows(9), rows(9, first=9))
    with pytest.raises(DataError, match="income holds the alias 'champion'"):
        adopt_version(open_store(), source, None, trust_pickle=False)


def test_a_model_that_is_gone_from_mlflow_holds_no_alias(home):
    assert mlflow_registry.alias_version("gone") is None
