"""`expunge reject`: keep a batch that waits from going on."""

from flows.console import Plain, command
from tasks.approval.approvals import decide
from tasks.environment.settings import load_settings
from tasks.registry.services import Services


def reject(batch: str, *, by: str, reason: str) -> None:
    """Reject a batch that waits for approval; its requests stay open, with the reason.

    A valid request must be answered all the same: the batch can still be approved.

    Parameters
    ----------
    batch
        The batch; `expunge status` lists those that wait.
    by
        Name of the person who decides; kept in the journal.
    reason
        Why; shown with every request of the batch.
    """
    services = Services.open(load_settings())
    services.store.check()
    decide(services, batch, "reject", name=by, reason=reason)
    console = Plain()
    console.print(f"Rejected batch {batch}; its requests stay open")
    console.print(command("To go on all the same:", f"expunge approve {batch} --by NAME"))
