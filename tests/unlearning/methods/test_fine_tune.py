from dataclasses import replace

import torch

from tests.unlearning.methods.examples import STEPS, losses
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn


def test_fine_tuning_lowers_the_retain_loss_and_never_reads_forget_rows(problem, rows):
    config = UnlearningConfig(method="fine_tune", fine_tuning=STEPS)
    assert losses(problem, config)[1] < -0.01
    other = unlearn(replace(problem, forget=rows(3, seed=9)), config)
    assert all(torch.equal(v, other[n]) for n, v in unlearn(problem, config).items())
