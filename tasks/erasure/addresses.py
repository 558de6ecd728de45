"""Which objects a batch's rows of a table point to: found, looked at, and written down in time."""

from collections.abc import Collection

from deltalake import DeltaTable

from tasks.enrolling.objects import refuse_unfit_place
from tasks.erasure.pointers import Excepted, shared
from tasks.intake.object_lists import ObjectList, keep_list, object_lists
from tasks.journal.events.enrollment import ObjectColumn
from tasks.journal.reading import enrolled_models, object_columns, read_batch
from tasks.registry.services import Services
from tasks.tables.delta import arrow_schema, is_readable, matching, open_table
from tasks.tables.object_places import ObjectPlace, pointed, refuse_outside
from tasks.tables.object_readiness import refuse_undeletable


def refuse_undeletable_objects(
    services: Services, uri: str, subject: str, subjects: Collection[str], but: Excepted
) -> None:
    """Stop while nothing is deleted, if an object of these subjects could not be.

    Rows that the batch is about to delete do not count among those of others.

    Raises:
        DataError: a row points to what was not declared as theirs, or as `refuse_unfit_place`,
            `refuse_undeletable` and `shared`.
    """
    for one in object_columns(services.journal, uri):
        place = ObjectPlace(services.settings, one.prefix)
        table = open_table(services.settings, uri)
        refuse_unfit_place(services, place)
        keys = _keys(services, table, uri, one, place, subject, subjects)
        refuse_undeletable(place, keys - shared(services, place, keys, but))


def note_addresses(
    services: Services, batch: str, table: DeltaTable, uri: str, subject: str, who: Collection[str]
) -> None:
    """Write down which objects the rows of these subjects point to, before they are deleted.

    Those of this version of the table, and of others that models learned from and that can be read.
    What is noted already, and not worked off yet, is not noted again.
    """
    for one in object_columns(services.journal, uri):
        place = ObjectPlace(services.settings, one.prefix)
        keys = _keys(services, table, uri, one, place, subject, who)
        known = {
            key
            for noted in pending(services, batch)
            if (noted.prefix, noted.table) == (place.prefix, uri)
            for key in noted.keys
        }
        keep_list(services, batch, place.prefix, uri, keys - known)


def pending(services: Services, batch: str) -> list[ObjectList]:
    """Lists of the batch that no round has worked off yet."""
    done: dict[str, int] = {}
    for one in read_batch(services.journal, batch).objects:
        done[one.prefix] = max(one.lists, done.get(one.prefix, 0))
    return [one for one in object_lists(services, batch) if one.number > done.get(one.prefix, 0)]


def _keys(
    services: Services,
    table: DeltaTable,
    uri: str,
    one: ObjectColumn,
    place: ObjectPlace,
    subject: str,
    who: Collection[str],
) -> set[str]:
    found = pointed(table, one, place, matching(table, subject, who))
    refuse_outside(uri, one, found.outside)
    keys, settings = found.keys, services.settings
    learned = {e.dataset_version for e in enrolled_models(services.journal) if e.dataset.uri == uri}
    for version in sorted(learned - {table.version()}):
        if is_readable(settings, uri, version):
            before = open_table(settings, uri, version)
            if one.column in arrow_schema(before).names:
                keys |= pointed(before, one, place, matching(before, subject, who)).keys
    return keys
