"""The main path: deletion requests in, unlearned models and certificates out."""

from prefect import flow

from flows.unlearn_model import unlearn_model
from tasks import steps
from unlearning.errors import GateRejectedError
from unlearning.gate import GateDecision


@flow(name="process-deletions", flow_run_name="process deletions", result_serializer="json")
def process_deletions() -> int:
    """Work off every open batch, each for itself; returns how many there were.

    Raises:
        GateRejectedError: a model failed the gate; its champion and its requests stay as they are.
        ExpungeError: a batch stopped for another reason; the batches after it were worked off.
    """
    models = steps.check_settings()
    batches = steps.open_batches()
    states = [process_batch(batch, models, return_state=True) for batch in batches]
    outcomes = [state.result(raise_on_failure=False) for state in states]
    for error in (o for o in outcomes if isinstance(o, BaseException)):
        raise error
    rejected = [reason for o in outcomes if isinstance(o, list) for reason in o]
    if rejected:
        raise GateRejectedError("; ".join(rejected))
    return len(batches)


@flow(name="process-batch", flow_run_name="batch {batch}", result_serializer="json")
def process_batch(batch: str, models: list[str]) -> list[str]:
    """Take one batch from validation to certificates; returns why models were rejected, if any."""
    steps.validate_batch(batch)
    steps.resolve_rows(batch)
    decisions = {model: unlearn_model(batch, model) for model in models}
    rejected = [_sentence(model, d) for model, d in decisions.items() if d and not d.passed]
    if rejected:
        steps.mirror_audit(batch)
    else:
        erase_tables(batch)
    return rejected


def erase_tables(batch: str) -> None:
    """Erase the rows and every ledger over them, then certify.

    The next ledgers are another flow's affair (`flows.refresh_ledgers`): a pass over a whole table
    must not hold up a certificate.
    """
    for table in steps.tables_to_erase(batch):
        steps.erase_rows(batch, table)
        steps.purge_files(batch, table)
        for model in steps.advance_models(batch, table):
            steps.drop_ledgers(model)
    steps.certify_requests(batch)
    steps.mirror_audit(batch)
    steps.close_batch(batch)


def _sentence(model: str, decision: GateDecision) -> str:
    return f"{model} failed the gate: {', '.join(decision.failed_names)}"
