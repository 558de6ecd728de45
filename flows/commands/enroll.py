"""`expunge enroll`: let runs unlearn a model that was trained elsewhere."""

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter

from flows.commands.options import EnrollOptions, SourceFlags, flag, options_of
from tasks.environment.settings import prepare_prefect
from tasks.journal.events.enrollment import Loss


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EnrollFlags(SourceFlags):
    """Everyday options of `expunge enroll`."""

    version: Annotated[int | None, flag(EnrollOptions, "version")] = None
    loss: Annotated[Loss | None, flag(EnrollOptions, "loss")] = None
    trust_pickle: Annotated[bool | None, flag(EnrollOptions, "trust_pickle")] = None
    trust_code: Annotated[bool | None, flag(EnrollOptions, "trust_code")] = None


def enroll(model: str | None = None, *, flags: EnrollFlags | None = None) -> None:
    """Enrol a PyTorch classifier that mlflow.pytorch registered, so that runs can unlearn it.

    Method, policy, budget and approval are set in a file: write it with --init > model.toml, change
    it, and name it with --config model.toml.

    Parameters
    ----------
    model
        Name of the registered model; may also stand in the file.
    flags
        Everyday options; each goes before what the file says.
    """
    options = options_of(EnrollOptions, "enroll", flags or EnrollFlags(), model)
    if options is None:
        return
    prepare_prefect()
    from flows.train_model import enroll_model

    source = options.source(options.loss)
    enroll_model(source, options.version, options.trust_pickle, options.trust_code)
