"""`expunge train`: train a model that can be unlearned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from cyclopts import Parameter

from flows.commands.options import SourceFlags, TrainOptions, flag, options_of
from tasks.environment.settings import prepare_prefect
from unlearning.config.training_config import TrainingConfig

TRAINED_AS_RETRAINED = "unlearning.retraining"
"""A model of ours is retrained as it was trained, so [training] says both."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainFlags(SourceFlags):
    """Everyday options of `expunge train`."""

    hidden: Annotated[list[int] | None, flag(TrainOptions, "hidden")] = None
    epochs: Annotated[int | None, flag(TrainingConfig, "epochs")] = None
    batch_size: Annotated[int | None, flag(TrainingConfig, "batch_size")] = None
    learning_rate: Annotated[float | None, flag(TrainingConfig, "learning_rate")] = None
    seed: Annotated[int | None, flag(TrainingConfig, "seed")] = None

    tables: ClassVar[Mapping[str, str]] = {
        **SourceFlags.tables,
        "epochs": "training",
        "batch_size": "training",
        "learning_rate": "training",
        "seed": "training",
    }


def train(model: str | None = None, *, flags: TrainFlags | None = None) -> None:
    """Train a multilayer perceptron with gradient restriction, register it, and enrol it.

    Method, policy, budget, approval and whatever is rarely needed are set in a file: write it with
    --init > model.toml, change it, and name it with --config model.toml. What it has above its
    tables may be given as flags, too.

    Parameters
    ----------
    model
        Name of the registered model; a new version of it gets the serving alias. It may also stand
        in the file.
    flags
        Everyday options; each goes before what the file says.
    """
    options = options_of(
        TrainOptions, "train", flags or TrainFlags(), model, absent={TRAINED_AS_RETRAINED}
    )
    if options is None:
        return
    prepare_prefect()
    from flows.train_model import train_model

    train_model(options.source(), tuple(options.hidden), options.training)
