"""Objects that rows point to, in whichever table: what is shown before one is deleted."""

from collections.abc import Collection, Iterator, Mapping

import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.journal.events.enrollment import ObjectColumn
from tasks.journal.reading import ever_object_columns, object_columns, searched_columns
from tasks.registry.services import Services
from tasks.tables.delta import arrow_schema, is_table, matching, open_table
from tasks.tables.object_places import ObjectPlace, addresses_in, refuse_outside
from unlearning.errors import DataError

Excepted = Mapping[str, tuple[str, Collection[str]]]
"""By table its subject column and the subjects whose rows do not count."""


def shared(
    services: Services, place: ObjectPlace, keys: Collection[str], but: Excepted | None = None
) -> set[str]:
    """Those of the keys to whose objects rows point that are there, in whichever table.

    Cost: a pass over every column of addresses that was ever declared.

    Raises:
        DataError: an address cannot be read, so that nobody knows what it points to; or a table
            that may hold some is away, and nobody closed it.
    """
    wanted = {place.address(key): key for key in keys}
    found: set[str] = set()
    for uri, table, columns in pointing_tables(services):
        where = _others(table, *but[uri]) if but and uri in but else None
        for column in sorted({one.column for one in columns}):
            found |= _there(services, uri, table, column, columns, wanted.keys(), where)
    return {wanted[address] for address in found}


def refuse_unread_pointers(services: Services) -> None:
    """Stop if nobody can tell what some row points to, whoever is erased; raises as `shared`."""
    for uri, table, columns in pointing_tables(services):
        for column in sorted({one.column for one in columns}):
            _there(services, uri, table, column, columns, ())


def versions_of(services: Services) -> dict[str, int]:
    """The present version of every table that may point to objects."""
    return {uri: table.version() for uri, table, _ in pointing_tables(services)}


def pointing_tables(
    services: Services,
) -> Iterator[tuple[str, DeltaTable, list[ObjectColumn]]]:
    """Every table of which a column was ever declared to hold addresses, with all of these.

    One that was closed counts for as long as it can be opened.

    Raises:
        DataError: one is away, or lacks such a column, and nobody closed it.
    """
    searched = searched_columns(services.journal)
    for uri, columns in sorted(ever_object_columns(services.journal).items()):
        if uri not in searched:
            table = _open_closed(services, uri)
        elif is_table(services.settings, uri):
            table = open_table(services.settings, uri)
        else:
            raise DataError(
                f"{uri} is no more, and its rows may point to objects below {columns[0].prefix}; "
                "restore it, or close it by name with `expunge close-table`."
            )
        if table is None:
            continue
        needed = object_columns(services.journal, uri) if uri in searched else ()
        names = arrow_schema(table).names
        yield uri, table, [one for one in columns if one in needed or one.column in names]


def _there(
    services: Services,
    uri: str,
    table: DeltaTable,
    column: str,
    columns: list[ObjectColumn],
    wanted: Collection[str],
    where: ds.Expression | None = None,
) -> set[str]:
    declared = [one for one in columns if one.column == column]
    places = [ObjectPlace(services.settings, one.prefix) for one in declared]
    there = addresses_in(table, column, places, wanted, where)
    refuse_outside(uri, declared[-1], there.outside)
    return there.addresses


def _open_closed(services: Services, uri: str) -> DeltaTable | None:
    try:
        is_there = is_table(services.settings, uri)
    except DataError:
        return None
    return open_table(services.settings, uri) if is_there else None


def _others(table: DeltaTable, column: str, subjects: Collection[str]) -> ds.Expression | None:
    if column not in arrow_schema(table).names:
        return None
    return ~matching(table, column, subjects) | ds.field(column).is_null()
