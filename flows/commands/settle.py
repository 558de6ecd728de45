"""`expunge settle`: say whom a request means that nearly names somebody."""

from typing import Annotated

from cyclopts import Parameter

from flows.console import Plain, command
from tasks.approval.settlements import settle as settle_request
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from unlearning.errors import SettingsError

Switch = Annotated[bool, Parameter(negative="")]


def settle(
    request: str, *, exact: Switch = False, withdraw: Switch = False, by: str, reason: str
) -> None:
    """Settle a request that is unclear: rows have nearly its id, or its id under another kind.

    Ask whoever sent it. If exactly this id is meant, the next run answers it by that id alone, and
    the certificate says who decided. If another one is meant, withdraw it, and submit a new request
    with the id as it stands in the tables; it may have the same request_id.

    Parameters
    ----------
    request
        The request_id; `expunge status` lists those that are unclear.
    exact
        Exactly this id is meant.
    withdraw
        Another id was meant, or nobody.
    by
        Name of the person who decides; kept in the journal.
    reason
        Why; kept in the journal. Never the id of a person.
    """
    if exact == withdraw:
        raise SettingsError("Give one of --exact and --withdraw.")
    services = Services.open(load_settings())
    services.store.check()
    settle_request(services, request, "exact" if exact else "withdraw", name=by, reason=reason)
    console = Plain()
    if exact:
        console.print(f"{request} means exactly its id from now on")
        console.print(command("Next:", "expunge run"))
    else:
        console.print(f"{request} is withdrawn; submit a new one for the id that is meant")
