"""SCRUB: a student leaves its teacher on forget rows and stays with it on retain rows."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from unlearning.config.unlearning_config import UnlearningConfig
from unlearning.methods.network import Network, descended, epoch_batches
from unlearning.methods.problem import UnlearningProblem
from unlearning.model.forward import fixed_mode
from unlearning.model.rows import TensorRows, gather


def scrub_method(problem: UnlearningProblem, config: UnlearningConfig) -> dict[str, Tensor]:
    """The state after SCRUB's alternation of epochs, the original being the teacher.

    Formula: in the first `max_epochs` epochs up KL(teacher || student) on the forget rows; then, in
    each of `min_epochs` epochs, down a KL(teacher || student) + c L on the retain rows, with
    temperature T and the usual factor T^2. Source: Kurmanji et al. 2023, arXiv 2302.09880.

    Cost: `max_epochs` passes over the forget and `min_epochs` over the retain rows given, and one
    forward pass over both.
    """
    rule = config.scrub
    network = Network(problem.model, problem.device, config.chunk_size)
    sets = gather(problem.forget), gather(problem.retain)
    forget, retain = sets
    with fixed_mode(problem.model):
        teacher = {id(rows): network.read(rows).values for rows in sets}

    def divergence(rows: TensorRows, index: Tensor) -> Tensor:
        wanted = teacher[id(rows)][index].to(network.device) / rule.temperature
        given = network.scores(rows, index) / rule.temperature
        apart = kl_div(
            given.log_softmax(1), wanted.log_softmax(1), log_target=True, reduction="batchmean"
        )
        return apart * rule.temperature**2

    def away(index: Tensor) -> Tensor:
        return -divergence(forget, index)

    def towards(index: Tensor) -> Tensor:
        kept = divergence(retain, index)
        return rule.distillation_weight * kept + rule.loss_weight * network.loss(retain, index)

    def steps() -> Iterator[Callable[[], Tensor]]:
        random = torch.Generator().manual_seed(config.seed)
        for epoch in range(rule.min_epochs):
            plan = ((away, forget, rule.forget_batch), (towards, retain, rule.batch_size))
            for loss, rows, size in plan if epoch < rule.max_epochs else plan[1:]:
                for index in epoch_batches(rows.count, size, 1, random):
                    yield lambda loss=loss, index=index: loss(index)

    return descended(problem, network, steps(), rule.learning_rate)
