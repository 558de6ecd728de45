"""`expunge enroll`: adopt a model that was trained elsewhere."""

from dataclasses import replace

from flows.commands.source import SourceOptions
from tasks.environment.settings import prepare_prefect
from tasks.journal.events.enrollment import Loss


def enroll(
    model: str,
    *,
    source: SourceOptions,
    version: int | None = None,
    loss: Loss = "cross_entropy",
    trust_pickle: bool = False,
) -> None:
    """Enrol a PyTorch classifier that mlflow.pytorch registered, so that runs can unlearn it.

    Parameters
    ----------
    model
        Name of the registered model.
    source
        Rows and policies.
    version
        Version to enrol; the one under the serving alias if omitted.
    loss
        What it was trained with: cross_entropy for one score (logit or log-probability) per class,
        binary_cross_entropy for a single log-odds.
    trust_pickle
        Load a pickled model, which runs code from the registry; needed unless it is in pt2 form.
    """
    prepare_prefect()
    from flows.train_model import enroll_model

    enroll_model(replace(source.source(model), loss=loss), version, trust_pickle)
