"""Fine-tuning: go on training on retain rows and hope that the others fade."""

import torch
from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.network import Network, descended, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import gather


def fine_tune_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state after some epochs of Adam down the mean loss of the retain rows given.

    The field's weakest baseline (catastrophic forgetting; Goodfellow et al. 2013, arXiv 1312.6211).
    Cost: `fine_tuning.epochs` passes over the retain rows given; the forget rows are never read.
    """
    rule, rows = config.fine_tuning, gather(problem.retain)
    network = Network(problem.model, problem.device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    batches = epoch_batches(rows.count, rule.batch_size, rule.epochs, random)
    steps = (lambda index=index: network.loss(rows, index) for index in batches)
    return descended(problem, network, steps, rule.learning_rate)
