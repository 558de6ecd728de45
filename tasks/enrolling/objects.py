"""Columns of addresses, looked at before an enrolment lets objects be erased by them."""

from collections.abc import Collection

from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import ever_enrolled, object_columns
from tasks.registry.services import Services
from tasks.store.address import is_top
from tasks.store.kept_versions import versions_left
from tasks.tables.delta import arrow_schema, open_table
from tasks.tables.object_places import ObjectPlace, pointed, refuse_outside, unnamed
from tasks.tables.object_readiness import refuse_other_contents, refuse_overlap, refuse_undeletable
from unlearning.errors import DataError, SettingsError

SAMPLE = 20
"""Objects of a column that are looked for before it is believed where they lie."""


def refuse_unfit_objects(
    services: Services, spec: DatasetSpec, holdout: str, *, tries: bool = True
) -> None:
    """Refuse objects that could not be erased for good, or that would not be those of the rows.

    Cost: a listing of each prefix, and a pass over the column in both tables.

    Raises:
        SettingsError: the column names the subject, the class or a slice, or has two prefixes; or
            one that was declared before is left out.
        DataError: the prefix holds something else or lies in it, a row points elsewhere, most of a
            sample of the objects are missing, or nothing may be removed there.
    """
    for one in spec.objects:
        if one.column in (spec.subject, spec.label, *spec.slices):
            raise SettingsError(
                f"Column {one.column!r} holds addresses of objects; name another one as subject, "
                "label or slice."
            )
    if len({one.column for one in spec.objects}) < len(spec.objects):
        raise SettingsError(
            "A column has two prefixes, so that a key in it may be either's; name one for each.",
            line="--objects COLUMN=PREFIX",
        )
    _refuse_undeclared(services, spec, holdout)
    _refuse_overlaps(services, spec, holdout)
    for one in spec.objects:
        place = ObjectPlace(services.settings, one.prefix)
        _refuse_top(place.prefix)
        for uri in (spec.uri, holdout):
            found = pointed(open_table(services.settings, uri), one, place)
            refuse_outside(uri, one, found.outside)
            if len(missing := absent(place, found.keys)) * 2 > min(len(found.keys), SAMPLE):
                raise DataError(
                    f"{len(missing)} of {min(len(found.keys), SAMPLE)} objects that rows of {uri} "
                    f"point to are not below {one.prefix}; name the prefix below which they lie.",
                    line="--objects COLUMN=PREFIX",
                )
        refuse_other_contents(place)
        refuse_undeletable(place, tries=tries)


def absent(place: ObjectPlace, keys: Collection[str]) -> list[str]:
    """Those of a sample of the keys under which there is nothing."""
    some = sorted(keys)[:: max(1, len(keys) // SAMPLE)][:SAMPLE]
    with unnamed():
        return [key for key in some if not versions_left(place.store, key)]


def _refuse_undeclared(services: Services, spec: DatasetSpec, holdout: str) -> None:
    """What an enrolment declared would be neither erased nor left to others any more."""
    for uri in (spec.uri, holdout):
        names = arrow_schema(open_table(services.settings, uri)).names
        for one in object_columns(services.journal, uri):
            if one.column in names and not spec.is_address(one.column):
                raise SettingsError(
                    f"Column {one.column!r} of {uri} holds addresses of objects, as an enrolment "
                    f"says, and they would be forgotten; give --objects {one.column}={one.prefix}.",
                    line="--objects COLUMN=PREFIX",
                )


def refuse_unfit_place(services: Services, place: ObjectPlace) -> None:
    """Refuse to delete objects where something else lies by now.

    Cost: a listing of the prefix.

    Raises:
        DataError: a table, the files of a model or what expunge keeps lies there, or around it.
    """
    ever = ever_enrolled(services.journal)
    tables = dict.fromkeys((uri for one in ever for uri in one.tables), "a table")
    _refuse_top(place.prefix)
    refuse_overlap(place.prefix, tables | _ours(services))
    refuse_other_contents(place)


def _refuse_overlaps(services: Services, spec: DatasetSpec, holdout: str) -> None:
    """Also where objects of any enrolment lie, or once lay, and a table is added there."""
    ever = [*ever_enrolled(services.journal)]
    prefixes = {*spec.prefixes}.union(*(one.dataset.prefixes for one in ever))
    if not prefixes:
        return
    others = {
        **dict.fromkeys((uri for one in ever for uri in one.tables), "a table"),
        **dict.fromkeys((spec.uri, holdout), "its table"),
        **_ours(services),
    }
    for prefix in sorted(prefixes):
        refuse_overlap(prefix, others)


def _refuse_top(prefix: str) -> None:
    if is_top(prefix):
        raise DataError(
            f"{prefix} is a whole disk or bucket, in which anything may lie; keep the objects in a "
            "folder of their own.",
            line="--objects COLUMN=PREFIX",
        )


def _ours(services: Services) -> dict[str, str]:
    return {
        **dict.fromkeys(services.registry.places(), "what MLflow keeps"),
        services.settings.home.resolve().as_uri(): "expunge's own home",
        services.store.uri: "the store of expunge",
    }
