"""Models that learned from a table, as MLflow says, and that nobody enrolled: nobody asks them."""

from collections.abc import Collection
from urllib.parse import unquote

from tasks.journal.events import ids
from tasks.journal.events.catalog import batch_stream
from tasks.journal.events.statements import StrangersStated, VersionSeen
from tasks.journal.reading import read_batch, read_model, searched_columns
from tasks.registry.services import Services
from tasks.registry.table_models import Naming, naming
from unlearning.errors import ExpungeError, TransientError


def strangers(services: Services, tables: Collection[str]) -> list[Naming]:
    """Versions that name one of these tables and that were never enrolled, nor made by expunge.

    Under the names of enrolled models they are told of elsewhere (`tasks.versions.copies`), and so
    are copies of enrolled weights. Cost: that of `tasks.registry.table_models.naming`.
    """
    enrolled = {unquote(name) for name in services.journal.models()}
    digests = {d for model in enrolled for d in read_model(services.journal, model).digests}
    return [
        one
        for one in naming(services.registry, tables)
        if one.model not in enrolled and not one.effect and one.digest not in digests
    ]


def notes(services: Services) -> list[str]:
    """A sentence for each of them and each table that is searched."""
    return [
        f"{one.model} version {one.version} names {one.table} as its data, by {one.by}, and was "
        "never enrolled: nobody asks it to forget. Enrol it with `expunge enroll`."
        for one in strangers(services, sorted(searched_columns(services.journal)))
    ]


def state_strangers(services: Services, batch: str, table: str) -> None:
    """Record, once, who is not asked about a table from which the batch erased rows.

    Rows are gone by then, so what MLflow refuses for good holds up no certificate: they say so.
    """
    if table in read_batch(services.journal, batch).stated.strangers:
        return
    found: list[Naming] = []
    why_not = ""
    try:
        found = strangers(services, [table])
    except TransientError:
        raise
    except ExpungeError as error:
        why_not = str(error)
    seen = dict.fromkeys((one.model, one.version) for one in found)
    facts = StrangersStated(
        table=table,
        versions=tuple(VersionSeen(model=m, version=v, aliases=()) for m, v in seen),
        why_not=why_not,
    )
    services.journal.append(batch_stream(batch), ids.strangers(table), facts)
