"""Columns of addresses, looked at before an enrolment lets objects be erased by them."""

from tasks.journal.events.enrollment import DatasetSpec
from tasks.journal.reading import ever_enrolled
from tasks.registry.services import Services
from tasks.tables.delta import open_table
from tasks.tables.object_places import ObjectPlace, pointed, refuse_outside
from tasks.tables.object_readiness import refuse_other_contents, refuse_overlap, refuse_undeletable
from unlearning.errors import SettingsError


def refuse_unfit_objects(
    services: Services, spec: DatasetSpec, holdout: str, *, tries: bool = True
) -> None:
    """Refuse objects that could not be erased for good, or that would not be those of the rows.

    Cost: a listing of each prefix, and a pass over the column in both tables.

    Raises:
        SettingsError: the column names the subject, the class or a slice.
        DataError: the prefix holds something else or lies in it, a row points elsewhere, or nothing
            may be removed there.
    """
    for one in spec.objects:
        if one.column in (spec.subject, spec.label, *spec.slices):
            raise SettingsError(
                f"Column {one.column!r} holds addresses of objects; name another one as subject, "
                "label or slice."
            )
    _refuse_overlaps(services, spec, holdout)
    for one in spec.objects:
        place = ObjectPlace(services.settings, one.prefix)
        for uri in (spec.uri, holdout):
            found = pointed(open_table(services.settings, uri), one, place)
            refuse_outside(uri, one, found.outside)
        refuse_other_contents(place)
        refuse_undeletable(place, tries=tries)


def refuse_unfit_place(services: Services, place: ObjectPlace) -> None:
    """Refuse to delete objects where something else lies by now.

    Cost: a listing of the prefix.

    Raises:
        DataError: a table, the files of a model or what expunge keeps lies there, or around it.
    """
    ever = ever_enrolled(services.journal)
    tables = dict.fromkeys((uri for one in ever for uri in one.tables), "a table")
    refuse_overlap(place.prefix, tables | _ours(services))
    refuse_other_contents(place)


def _refuse_overlaps(services: Services, spec: DatasetSpec, holdout: str) -> None:
    """Also where objects of any enrolment lie, or once lay, and a table is added there."""
    ever = [*ever_enrolled(services.journal)]
    others = {
        **dict.fromkeys((uri for one in ever for uri in one.tables), "a table"),
        **dict.fromkeys((spec.uri, holdout), "its table"),
        **_ours(services),
    }
    for prefix in sorted({*spec.prefixes}.union(*(one.dataset.prefixes for one in ever))):
        refuse_overlap(prefix, others)


def _ours(services: Services) -> dict[str, str]:
    return {
        services.settings.home.resolve().as_uri(): "expunge's own home",
        services.store.uri: "the store of expunge",
    }
