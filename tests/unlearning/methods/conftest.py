import pytest

from tests.oracles import linear_model
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import TensorRows


@pytest.fixture
def problem(rows):
    data = rows(48)
    return UnlearningProblem(
        model=linear_model(5, 3),
        forget=TensorRows(data.inputs[:8], data.labels[:8]),
        retain=TensorRows(data.inputs[8:], data.labels[8:]),
        holdout=rows(10, seed=1),
    )
