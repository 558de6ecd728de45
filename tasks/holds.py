"""The register of legal holds: subjects whose rows must not be erased (Art. 17(3) GDPR)."""

from tasks.object_store import ObjectStore
from tasks.request_files import parse
from unlearning.errors import DataError, RequestError

PREFIX = "requests/holds/"


def subjects_on_hold(store: ObjectStore) -> set[str]:
    """Ids of all subjects under a hold; never leaves the task that asks.

    Raises:
        DataError: a hold file cannot be read, so nobody can say who is protected: nothing may
            be erased until it is mended.
    """
    held: set[str] = set()
    for info in store.list_objects(PREFIX):
        try:
            rows = parse(info.key, store.get(info.key))
        except RequestError as error:
            raise DataError(f"A file of {PREFIX} is {error}; mend it, then run again.") from error
        ids = [str(row.fields.get("subject_id", "")).strip() for row in rows]
        if not all(ids):
            raise DataError(f"A row of {PREFIX} names no subject_id; mend it, then run again.")
        held.update(ids)
    return held
