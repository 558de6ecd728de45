"""Compute the gradient ledgers that erasures left behind, off the critical path."""

from prefect import flow

from tasks import steps


@flow(name="refresh-ledgers", flow_run_name="refresh ledgers", result_serializer="json")
def refresh_ledgers(models: list[str] | None = None) -> list[str]:
    """Compute every missing ledger, each model for itself; returns their keys.

    Args:
        models: Names of enrolled models; all of them if omitted.

    Raises:
        ExpungeError: a ledger could not be computed; those of the other models were.
    """
    wanted = steps.ledger_models() if models is None else models
    states = [steps.refresh_ledger(model, return_state=True) for model in wanted]
    return [state.result() for state in states]
