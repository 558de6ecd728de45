"""`expunge train`: train a model that can be unlearned."""

from typing import Annotated

from cyclopts import Parameter

from flows.commands.source import SourceOptions
from tasks.settings import prepare_prefect
from unlearning.config.training_config import TrainingConfig


def train(
    model: str,
    *,
    source: SourceOptions,
    hidden: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    config: Annotated[TrainingConfig | None, Parameter(name="*")] = None,
) -> None:
    """Train a multilayer perceptron with gradient restriction, register it, and enrol it.

    Parameters
    ----------
    model
        Name of the registered model; a new version of it gets the serving alias.
    source
        Rows and policies.
    hidden
        Widths of the hidden layers; 256 128 if omitted.
    config
        How it is trained.
    """
    prepare_prefect()
    from flows.train_model import train_model

    train_model(source.source(model), tuple(hidden or (256, 128)), config or TrainingConfig())
