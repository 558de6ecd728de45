"""`expunge enroll`: adopt a model that was trained elsewhere."""

from flows.commands.source import SourceOptions
from tasks.settings import quiet_prefect


def enroll(
    model: str,
    *,
    source: SourceOptions,
    version: int | None = None,
    trust_pickle: bool = False,
) -> None:
    """Enrol a PyTorch classifier that mlflow.pytorch registered, so that runs can unlearn it.

    Its loss is taken to be the cross-entropy of its class scores.

    Parameters
    ----------
    model
        Name of the registered model.
    source
        Rows and policies.
    version
        Version to enrol; the one under the serving alias if omitted.
    trust_pickle
        Load a pickled model, which runs code from the registry; needed unless it is in pt2 form.
    """
    quiet_prefect()
    from flows.train_model import enroll_model

    enroll_model(source.source(model), version, trust_pickle)
