"""Whether a model takes its tables' rows, and what is said of tables that tell too little."""

import pytest
import torch
from small_tables import rows

from tasks.enrolling.fit import check_fit, few_rows
from unlearning.errors import UnsupportedModelError
from unlearning.training.architectures import mlp


def test_a_model_that_scores_every_class_fits(services, source_of):
    check_fit(services, mlp(40, (4,), 2, seed=0), source_of(rows(300), rows(20, first=300)))


def test_labels_beyond_the_models_classes_are_refused(services, source_of):
    table = rows(300)
    labels = torch.tensor(table["label"].to_pylist()) + 1
    table = table.set_column(1, "label", [labels.tolist()])
    with pytest.raises(UnsupportedModelError, match="2 classes apart, but labels go up to 2"):
        check_fit(services, mlp(40, (4,), 2, seed=0), source_of(table, rows(20, first=300)))


@pytest.mark.parametrize(
    ("holdout", "sample", "expected"),
    [
        (200, 100, []),
        (199, 100, ["about 99 holdout rows"]),
        (400, 99, ["about 99 retain rows", "about 99 holdout rows"]),
    ],
)
def test_rows_too_few_to_judge_on_are_named(services, source_of, holdout, sample, expected):
    told = list(few_rows(services, source_of(rows(300), rows(holdout), sample=sample)))
    assert len(told) == len(expected)
    assert all(one in said for one, said in zip(expected, told, strict=True))
