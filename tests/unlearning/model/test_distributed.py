"""One rank, without a group and in one; several ranks run with the ledgers' tests."""

import pytest
import torch
from torch import distributed

from tests.oracles import linear_model
from unlearning.errors import ConflictError, DataError
from unlearning.model.distributed import (
    agree,
    own_rank,
    rank_count,
    refuse_other,
    shared_gradient,
    total_count,
)
from unlearning.model.gradients import mean_gradient


@pytest.fixture(params=["alone", "in a group"])
def ranks(request):
    if request.param == "alone":
        yield
        return
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("ranks")
def test_a_single_rank_is_the_first_of_one():
    assert (own_rank(), rank_count()) == (0, 1)
    assert agree("this choice") == "this choice"


@pytest.mark.usefixtures("ranks")
def test_a_single_rank_has_the_gradient_and_the_rows_of_a_plain_pass(rows):
    model, data = linear_model(5, 3), rows(20)
    shared = shared_gradient(model, data, chunk_size=7, device="cpu", precision="float32")
    plain = mean_gradient(model, data, chunk_size=7)
    assert (shared.row_count, total_count(data)) == (20, 20)
    assert shared.mean_loss == plain.mean_loss
    for name, value in plain.values.items():
        assert torch.equal(shared.values[name], value)


@pytest.mark.usefixtures("ranks")
def test_a_pass_that_fails_raises_what_it_failed_of(rows):
    with pytest.raises(DataError, match="empty"):
        shared_gradient(
            linear_model(5, 3), rows(0), chunk_size=7, device="cpu", precision="float32"
        )


def test_a_rank_that_sees_something_else_is_refused():
    refuse_other("model a", "model a")
    with pytest.raises(ConflictError, match=r"Rank 0 works on 'model a' and rank 0 on 'model b'"):
        refuse_other("model a", "model b")
