"""The register of legal holds: subjects whose rows must not be erased (Art. 17(3) GDPR)."""

import re

from tasks.object_store import MissingObjectError, ObjectStore
from tasks.request_files import RawRow, parse, plain_text
from unlearning.errors import DataError, RequestError

PREFIX = "requests/holds/"
SUBJECT_ID = r"^[^\s\x00-\x1f](?:[^\x00-\x1f]{0,254}[^\s\x00-\x1f])?\Z"


def subjects_on_hold(store: ObjectStore) -> set[str]:
    """Ids of all subjects under a hold; never leaves the task that asks.

    Raises:
        DataError: a hold file cannot be read, so nobody can say who is protected: nothing may
            be erased until it is mended.
    """
    held: set[str] = set()
    for info in store.list_objects(PREFIX):
        if info.is_folder:
            continue
        if info.is_link:
            raise DataError(
                f"A file of {PREFIX} is a link, which is not followed; put the file itself there, "
                "then run again."
            )
        try:
            rows = parse(info.key, store.get(info.key))
        except RequestError as error:
            raise DataError(f"A file of {PREFIX} is {error}; mend it, then run again.") from None
        except MissingObjectError:
            raise DataError(
                f"A file of {PREFIX} cannot be fetched under its name, which may be too long; "
                "rename it, then run again."
            ) from None  # its text has the name, which may be a person's
        held.update(_subject(row) for row in rows)
    return held


def _subject(row: RawRow) -> str:
    subject = plain_text(row.fields.get("subject_id"))
    if subject is None or not re.match(SUBJECT_ID, subject):
        raise DataError(
            f"A row of {PREFIX} has no usable subject_id (text or a whole number); mend it, then "
            "run again."
        )
    return subject
