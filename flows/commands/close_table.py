"""`expunge close-table`: stop searching a table that models were enrolled with before."""

from flows.console import Plain
from tasks.environment.settings import load_settings
from tasks.registry.services import Services
from tasks.store.address import canonical
from tasks.subjects.tied_tables import close_table as close


def close_table(table: str, *, by: str, reason: str) -> None:
    """Stop searching a table that no model is enrolled with any more.

    Every table that a model was ever enrolled with is searched for whoever asks to be erased, until
    somebody closes it by name. Certificates name it as closed from then on.

    Parameters
    ----------
    table
        Its address, as `expunge status --json` writes it.
    by
        Name of the person who decides; kept in the journal and in certificates.
    reason
        Why no row of it needs to be searched; kept in the journal and in certificates.
    """
    services = Services.open(load_settings())
    services.store.check()
    table = canonical(table)
    close(services, table, name=by, reason=reason)
    Plain().print(f"Closed {table}: it is searched no more")
