from tests.unlearning.methods.examples import STEPS, losses
from unlearning.config.unlearning_config import UnlearningConfig


def test_gradient_ascent_raises_the_forget_loss(problem):
    assert losses(problem, UnlearningConfig(method="gradient_ascent", ascent=STEPS))[0] > 0.01
