"""Whether objects could be erased for good, and nothing but them: tried before any is deleted."""

import os
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tasks.store.address import canonical
from tasks.store.kept_versions import locked, locks_all, strangers
from tasks.tables.object_places import LOG, MODEL, ObjectPlace, unnamed
from tasks.tables.readiness import refuse_unwritable
from unlearning.errors import DataError


def refuse_overlap(prefix: str, others: Mapping[str, str]) -> None:
    """Refuse a prefix that lies in one of the others, or holds one.

    Args:
        prefix: Where objects lie.
        others: What they are, in words, by their addresses.

    Raises:
        DataError: it does.
    """
    mine = f"{canonical(prefix)}/"
    for uri, what in others.items():
        other = f"{canonical(uri)}/"
        if mine.startswith(other) or other.startswith(mine):
            raise DataError(
                f"The objects below {prefix} would lie with {what}, {uri}, of which nothing may be "
                "deleted by an address in a row; keep them in a folder of their own.",
                line="--objects COLUMN=PREFIX",
            )


def refuse_other_contents(place: ObjectPlace) -> None:
    """Refuse a prefix below which a table, the files of a model or a link lie.

    By a link another row may name the same object in other words. Cost: a listing.

    Raises:
        DataError: one does, or a link leads to the prefix itself.
    """
    _refuse_link_to(place)
    links = 0
    with unnamed():
        for info in place.store.list_objects(""):
            links += info.is_link
            parts = info.key.split("/")
            if LOG in parts or parts[-1] == MODEL:
                what = "a Delta table" if LOG in parts else "the files of a model"
                raise DataError(
                    f"Below {place.prefix} lies {what}, of which nothing may be deleted by an "
                    "address in a row; keep the objects in a folder of their own.",
                    line="--objects COLUMN=PREFIX",
                )
    if links:
        raise DataError(
            f"{links} links lie below {place.prefix}, so that rows may name one object in several "
            "ways; put the files themselves there."
        )


@unnamed()
def _refuse_link_to(place: ObjectPlace) -> None:
    top = None if place.store.uri.startswith("s3:") else url2pathname(urlsplit(place.prefix).path)
    if top and os.path.realpath(top) != top:
        raise DataError(
            f"A link leads to {place.prefix}, so that other objects may lie there tomorrow; name "
            "the folder itself.",
            line="--objects COLUMN=PREFIX",
        )


@unnamed()
def refuse_undeletable(
    place: ObjectPlace, keys: Collection[str] = (), *, tries: bool = True
) -> None:
    """Stop while nothing is deleted, if objects could not be removed with all their versions.

    Cost: in a directory a look at its folders, in a bucket an object that is written and removed
    again, if it tries; where the bucket has locks two calls for each of the keys.

    Raises:
        DataError: one is retained or on a hold of its bucket, a link leads to one, one is no file,
            or nothing may be removed there.
    """
    links = sum(place.is_linked(key) for key in keys)
    if links:
        raise DataError(
            f"{links} objects below {place.prefix} are reached by a link, and what it points to "
            "may be somebody else's; put the files themselves there."
        )
    if odd := strangers(place.store, keys):
        raise DataError(
            f"{odd} addresses below {place.prefix} are those of a folder, a pipe or a device; name "
            "the files themselves in the rows."
        )
    if kept := locked(place.store, keys):
        raise DataError(
            f"{kept} objects below {place.prefix} are kept by their bucket (Object Lock: a "
            "retention or a legal hold); end that, then run again."
        )
    if not locks_all(place.store):
        refuse_unwritable(place.store.uri, place.store, tries=tries)
