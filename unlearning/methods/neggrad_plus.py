"""NegGrad+: down the loss of retain rows and up that of forget rows in the same step."""

import torch
from torch import Tensor

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.network import Network, descended, endless_batches, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.rows import gather


def neggrad_plus_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state after some epochs of Adam down b L_r - (1 - b) L_f, b = `neggrad.retain_weight`.

    Source: Kurmanji et al. 2023, arXiv 2302.09880. Cost: `neggrad.epochs` passes over the retain
    rows given, with as many forget rows beside them, at most one batch in a step.
    """
    rule = config.neggrad
    forget, retain = gather(problem.forget), gather(problem.retain)
    network = Network(problem.model, problem.device, config.chunk_size)
    random = torch.Generator().manual_seed(config.seed)
    dropped = endless_batches(forget.count, rule.batch_size, random)

    def loss(index: Tensor) -> Tensor:
        weight = rule.retain_weight
        up = network.loss(forget, next(dropped))
        return weight * network.loss(retain, index) - (1 - weight) * up

    batches = epoch_batches(retain.count, rule.batch_size, rule.epochs, random)
    steps = (lambda index=index: loss(index) for index in batches)
    return descended(problem, network, steps, rule.learning_rate)
