"""What is said when a model is enrolled."""

import pytest
from deltalake import write_deltalake
from tables import rows

from tasks.dataset_spec import DatasetSpec
from tasks.models import ModelSource, warn_of_few_rows
from unlearning.config import GatePolicy, UnlearningConfig


@pytest.mark.parametrize(
    ("holdout", "sample", "expected"),
    [
        (200, 100, []),
        (199, 100, ["about 99 holdout rows"]),
        (400, 99, ["about 99 retain rows", "about 99 holdout rows"]),
    ],
)
def test_rows_too_few_to_judge_on_are_named(tmp_path, caplog, holdout, sample, expected):
    tables = [(tmp_path / name).as_uri() for name in ("train", "holdout")]
    for uri, count in zip(tables, (300, holdout), strict=True):
        write_deltalake(uri, rows(count))
    source = ModelSource(
        model="income",
        dataset=DatasetSpec(tables[0], ("features",), "label", "subject_id"),
        dataset_version=0,
        holdout=tables[1],
        unlearning=UnlearningConfig(retain_sample=sample, holdout_sample=sample),
        policy=GatePolicy(),
    )
    warn_of_few_rows(source)
    assert len(caplog.messages) == len(expected)
    assert all(one in said for one, said in zip(expected, caplog.messages, strict=True))
