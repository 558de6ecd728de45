"""`expunge ledger`: compute missing gradient ledgers."""

from tasks.enrolling.gradient_ledgers import refresh_ledger
from tasks.environment.ranks import rank_group
from tasks.environment.settings import load_settings, prepare_prefect
from tasks.journal.reading import enrolled_models
from tasks.registry.services import Services


def ledger(*models: str) -> None:
    """Compute the gradient ledger of models that have none: one pass over each training table.

    Several processes or machines can share the passes, each reading files of its own:
    torchrun --nproc-per-node 4 -m flows.cli ledger MODEL

    Parameters
    ----------
    models
        Enrolled models; all of them if omitted.
    """
    services = Services.open(load_settings())
    services.store.check()
    wanted = list(models) or [
        e.model for e in enrolled_models(services.journal) if not e.is_withdrawn
    ]
    with rank_group(services.settings) as is_first:
        if is_first:
            prepare_prefect()
            from flows.refresh_ledgers import refresh_ledgers

            refresh_ledgers(wanted)
        else:
            for model in wanted:
                refresh_ledger(services, model)
