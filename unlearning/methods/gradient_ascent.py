"""Gradient ascent: climb the loss of the forget rows."""

import torch
from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.network import Network, descended, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import gather


def gradient_ascent_method(
    problem: UnlearningProblem, config: UnlearningConfig
) -> dict[str, Tensor]:
    """The state after some epochs of Adam up the mean loss of the forget rows.

    Source: Thudi et al. 2022, arXiv 2109.13398, among others; nothing holds the retain rows.
    Cost: `ascent.epochs` passes over the forget rows.
    """
    rule, rows = config.ascent, gather(problem.forget)
    network = Network(problem.model, problem.device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    batches = epoch_batches(rows.count, rule.batch_size, rule.epochs, random)
    steps = (lambda index=index: -network.loss(rows, index) for index in batches)
    return descended(problem, network, steps, rule.learning_rate)
