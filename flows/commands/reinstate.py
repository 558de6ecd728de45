"""`expunge reinstate`: end the suppression of somebody who was erased and is back with new rows."""

from flows.console import Plain
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.subjects.returned import reinstate as decide


def reinstate(pseudonym: str, *, by: str, reason: str) -> None:
    """End the suppression of somebody who was erased and is back with new rows.

    Training may use their rows again, and no replay erases them.

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
    Plain().print(f"Subject {pseudonym} is off the suppression list; models may learn from them")
