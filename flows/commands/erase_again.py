"""`expunge erase-again`: ask for the new rows of somebody who was erased and is back."""

from flows.console import Plain, command
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.subjects.replay import erase_again as decide


def erase_again(pseudonym: str, *, by: str, reason: str) -> None:
    """Ask for the new rows of somebody who was erased and is back.

    The next run erases all their rows.

    Parameters
    ----------
    pseudonym
        The subject, as `expunge status` names whoever waits.
    by
        Name of the person who decides; kept in the journal.
    reason
        Why; kept in the journal.
    """
    services = Services.open(load_settings())
    services.store.check()
    decide(services, pseudonym, name=by, reason=reason)
    Plain().print(f"Requests are written for subject {pseudonym}")
    Plain().print(command("Next:", "expunge run"))
