"""Whether a table can be erased from for good: tried before anything is deleted."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tasks.environment.settings import Settings
from tasks.store.address import canonical
from tasks.store.objects import ObjectStore
from tasks.store.opening import open_store
from tasks.tables import folder
from tasks.tables.delta import refuse_links
from unlearning.errors import DataError, TransientError


def refuse_unready(
    settings: Settings,
    uri: str,
    *,
    store_uri: str,
    tolerated: Collection[str] = (),
    tries: bool = True,
) -> None:
    """Stop while nothing is deleted, if its rows could not be erased and its files not removed.

    Cost: a listing of the table, its log, and, if it tries, an object that is written to a bucket
    and removed again.

    Raises:
        DataError: something that is not the table's own lies in its folder, a link leads out of
            it, it lies in our own store, its data files are missing, or nothing may be written or
            removed there.
    """
    ours = canonical(store_uri)
    # A store that is a whole bucket has folders of its own there, and tables may lie beside them.
    if f"{canonical(uri)}/".startswith(f"{ours}/") and urlsplit(ours).path:
        raise DataError(
            f"{uri} lies in the store of expunge, {store_uri}; move the table, or set "
            "EXPUNGE_STORE to another place."
        )
    refuse_links(settings, uri)
    folder.refuse_foreign(folder.look(settings, uri, tolerated), uri)
    refuse_unwritable(uri, open_store(uri, settings), tries=tries)


def refuse_unwritable(uri: str, store: ObjectStore, *, tries: bool = True) -> None:
    """Stop if nothing may be removed from a folder or bucket that is open at this address.

    Raises:
        DataError: so it is; on a disk also if it is so with one of the folders below.
    """
    place = urlsplit(uri)
    if place.scheme == "file":
        top = Path(url2pathname(place.path))
        closed = sum(not os.access(one, os.W_OK | os.X_OK) for one in _folders(top))
        if closed:
            raise DataError(
                f"{closed} folders of {uri} cannot be written by this user, so that no file can be "
                "removed from them; allow it to write there."
            )
        return
    if not tries:
        return
    try:
        store.put_if_absent(folder.PROBE, b"")
        store.delete(folder.PROBE)
    except TransientError:
        raise
    except DataError as error:
        raise DataError(
            f"An object of ours cannot be written to {uri} and removed again, old versions "
            "included; allow expunge to put, list and delete objects and their versions there."
        ) from error


def _folders(top: Path) -> Iterator[Path]:
    for at, _, _ in os.walk(top):
        yield Path(at)
