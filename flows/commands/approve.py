"""`expunge approve`: let a batch that waits go on."""

from flows.console import Plain, command
from tasks.approval.approvals import decide
from tasks.environment.settings import load_settings
from tasks.registry.services import Services


def approve(batch: str, *, by: str, reason: str = "") -> None:
    """Approve a batch that is larger than a policy allows; the next run erases it.

    The approval holds for the plan that was shown; if that changes, people are asked again.

    Parameters
    ----------
    batch
        The batch; `expunge status` lists those that wait.
    by
        Name of the person who decides; kept in the journal and in the certificates.
    reason
        Why, if there is anything to say.
    """
    services = Services.open(load_settings())
    services.store.check()
    asked = decide(services, batch, "approve", name=by, reason=reason)
    console = Plain()
    console.print(f"Approved batch {batch}, preflight {asked.digest}")
    console.print(command("Next:", "expunge run"))
