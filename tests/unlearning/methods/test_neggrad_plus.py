from dataclasses import replace

import torch

from tests.unlearning.methods.examples import STEPS, losses
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.catalog import unlearn


def test_neggrad_plus_raises_the_forget_loss_and_with_all_weight_on_retain_is_fine_tuning(problem):
    far = replace(STEPS, retain_weight=0.5)
    assert losses(problem, UnlearningConfig(method="neggrad_plus", neggrad=far))[0] > 0.01
    once = replace(STEPS, epochs=1, retain_weight=1.0)
    one = unlearn(problem, UnlearningConfig(method="neggrad_plus", neggrad=once))
    other = unlearn(problem, UnlearningConfig(method="fine_tune", fine_tuning=once))
    for name, value in one.items():
        torch.testing.assert_close(value, other[name])
