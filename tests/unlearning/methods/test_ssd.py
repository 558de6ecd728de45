import torch

from unlearning.config.method_configs import CurvatureConfig
from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.curvature.curvature import fisher_diagonal
from unlearning.methods.catalog import unlearn


def test_ssd_dampens_by_hand(problem):
    rule = CurvatureConfig(selection=1.2, dampening=0.5)
    state = unlearn(problem, UnlearningConfig(method="ssd", curvature=rule))
    forget = fisher_diagonal(problem.model, problem.forget)["weight"]
    retain = fisher_diagonal(problem.model, problem.retain)["weight"]
    everything = (8 * forget + 40 * retain) / 48
    before = problem.model.weight.detach()
    chosen = forget > 1.2 * everything
    assert chosen.any()
    assert not chosen.all()
    scaled = before * (0.5 * everything / forget).clamp(max=1.0).float()
    torch.testing.assert_close(state["weight"], torch.where(chosen, scaled, before))
