"""How a model is to be asked: what lies between its table's rows, its answers and class scores."""

import logging

import torch
from torch import nn

from tasks.datasets.encoding import feature_values
from tasks.datasets.samples import sample_rows
from tasks.enrolling.source import ModelSource
from tasks.environment.memory import memory_errors
from tasks.registry.services import Services
from tasks.subjects.reappearance import suppressed_ids
from unlearning.config.model_interface import ModelInterface
from unlearning.errors import UnsupportedModelError
from unlearning.model.forward import fixed_mode

log = logging.getLogger("expunge.enroll")

_ROWS = 1024
_LEAST_SHARE = 1e-6
"""Of the spread of the labels: a model that hits nearly all of them exactly is measured by it."""


def interface_of(services: Services, source: ModelSource, module: nn.Module) -> ModelInterface:
    """The interface of the module as its version holds it.

    The tolerance of a model of numbers is the median of its absolute errors on at most 1,024
    holdout rows, so that about half of the unseen rows count as right: there a change for the worse
    shows most.

    Raises:
        UnsupportedModelError: it answers with anything but one number for each row.
    """
    if source.dataset.target == "class":
        return ModelInterface()
    with memory_errors():
        tolerance = _tolerance(services, source, module)
    log.info(
        "%s: half of %s's holdout rows are less than %.4g off, which counts as right from now on",
        source.model,
        source.dataset.label,
        tolerance,
    )
    return ModelInterface(tolerance=tolerance, shape=source.dataset.shape)


def _tolerance(services: Services, source: ModelSource, module: nn.Module) -> float:
    spec = source.dataset
    gone = suppressed_ids(services, spec, None, uri=source.holdout)
    rows = sample_rows(
        services.settings, spec, None, count=_ROWS, seed=0, without=gone, uri=source.holdout
    )
    numbers = rows.inputs[:, -1].double()
    answers = _answers(module, feature_values(rows.inputs, spec), source)
    median = float((answers - numbers).abs().median())
    spread = float(numbers.std()) if rows.count > 1 else 1.0
    if not median < float("inf"):
        raise UnsupportedModelError(
            f"{source.model} answers holdout rows with numbers that are not finite; look for "
            "extreme inputs or broken weights, and log it again."
        )
    return max(median, _LEAST_SHARE * spread, torch.finfo(torch.float32).tiny)


def _answers(module: nn.Module, inputs: torch.Tensor, source: ModelSource) -> torch.Tensor:
    shape = source.dataset.shape or (-1,)
    try:
        with fixed_mode(module), torch.no_grad():
            answers = module(inputs.reshape(len(inputs), *shape))
    except (RuntimeError, TypeError, ValueError) as error:
        raise UnsupportedModelError(
            f"{source.model} does not take inputs of shape {list(inputs.shape[1:])}; check "
            "--features and --shape."
        ) from error
    if not isinstance(answers, torch.Tensor) or answers.numel() != len(inputs):
        raise UnsupportedModelError(
            f"{source.model} does not answer each row with one number; change --loss, or wrap it "
            "in a module that does.",
            line="--loss cross_entropy",
        )
    return answers.reshape(-1).double()
