"""Which objects a batch's rows of a table point to: found, looked at, and written down in time."""

from collections.abc import Collection

import pyarrow.dataset as ds
from deltalake import DeltaTable

from tasks.enrolling.objects import SAMPLE, absent, refuse_unfit_place
from tasks.erasure.pointers import Excepted, shared
from tasks.intake.object_lists import ObjectList, keep_list, object_lists
from tasks.journal.events.enrollment import ObjectColumn
from tasks.journal.reading import object_columns, read_batch
from tasks.registry.services import Services
from tasks.subjects.tied_tables import learned, readable_versions
from tasks.tables.delta import arrow_schema, matching, open_table
from tasks.tables.object_places import ObjectPlace, pointed, refuse_outside
from tasks.tables.object_readiness import refuse_undeletable
from tasks.tables.words import Words
from unlearning.errors import DataError
from unlearning.policy.subject_kinds import SubjectColumn


def refuse_undeletable_objects(
    services: Services, uri: str, subject: SubjectColumn, subjects: Collection[str], but: Excepted
) -> None:
    """Stop while nothing is deleted, if an object of these subjects could not be.

    Rows of the batch's own subjects are not those of others, in whichever table.

    Raises:
        DataError: a row points to what was not declared as theirs, or as `refuse_unfit_place`,
            `refuse_undeletable` and `shared`.
    """
    for one in object_columns(services.journal, uri):
        place = ObjectPlace(services.settings, one.prefix)
        table = open_table(services.settings, uri)
        keys = _keys(services, table, uri, one, place, subject, subjects)
        if not keys:
            continue  # whoever points to nothing is held up by nobody's address
        refuse_unfit_place(services, place)
        stay = shared(services, place, keys, but)
        refuse_undeletable(place, keys - stay)
        _refuse_names(place, stay, subjects)
        _refuse_all_absent(place, table, one, keys, matching(table, subject.name, subjects))


def note_addresses(
    services: Services,
    batch: str,
    table: DeltaTable,
    uri: str,
    subject: SubjectColumn,
    who: Collection[str],
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


def _refuse_names(place: ObjectPlace, stay: Collection[str], subjects: Collection[str]) -> None:
    """Their rows would keep the id, in an address of what may not be deleted."""
    words = Words(subjects)
    if named := sum(words.within([key]) for key in stay):
        raise DataError(
            f"{named} objects below {place.prefix} bear the id of somebody who is to be erased, "
            "and rows of others point to them; give those names without an id, or mend the rows."
        )


def _refuse_all_absent(
    place: ObjectPlace,
    table: DeltaTable,
    one: ObjectColumn,
    keys: Collection[str],
    mine: ds.Expression,
) -> None:
    """Where nothing is found of anybody, the objects lie elsewhere, and would be left there."""
    if not keys or len(absent(place, keys)) < min(len(keys), SAMPLE):
        return
    others = pointed(table, one, place, ~mine).keys
    if others and len(absent(place, others)) == min(len(others), SAMPLE):
        raise DataError(
            f"Nothing that rows of {table.table_uri} point to by {one.column!r} is below "
            f"{one.prefix}; bring the objects back, or enrol with the prefix that they lie below."
        )


def _keys(
    services: Services,
    table: DeltaTable,
    uri: str,
    one: ObjectColumn,
    place: ObjectPlace,
    subject: SubjectColumn,
    who: Collection[str],
) -> set[str]:
    found = pointed(table, one, place, matching(table, subject.name, who))
    refuse_outside(uri, one, found.outside)
    keys, settings = found.keys, services.settings
    known, newest, kind = learned(services), table.version(), subject.kind
    older = readable_versions(services, known, uri, newest, kind)
    for version, column in sorted(older.items()):
        before = open_table(settings, uri, version)
        if one.column in arrow_schema(before).names:
            keys |= pointed(before, one, place, matching(before, column, who)).keys
    return keys
