"""The register of legal holds: subjects whose rows must not be erased (Art. 17(3) GDPR)."""

import re
from pathlib import Path

from tasks.intake.csv_rows import CUT
from tasks.intake.request_files import RawRow, parse, plain_text
from tasks.intake.submission import printable, read_local, refuse_cut, store_new
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.errors import DataError, RequestError, SettingsError

PREFIX = "requests/holds/"
SUBJECT_ID = r"^[^\s\x00-\x1f](?:[^\x00-\x1f]{0,254}[^\s\x00-\x1f])?\Z"


_NEEDED = ("subject_id",)


def place(services: Services, path: Path) -> int:
    """Put a file of holds in force; returns for how many rows.

    Raises:
        SettingsError: it cannot be read or used, so that nobody would be protected; nothing is
            stored, for a hold that nobody can read stops every run.
    """
    data = read_local(path)
    try:
        rows = parse(path.name, data, needed=_NEEDED)
        refuse_cut(path, rows)
        for row in rows:
            _subject(row)
    except (RequestError, DataError) as error:
        reason = f"file {error}." if isinstance(error, RequestError) else str(error)
        raise SettingsError(f"{printable(path.name)} is no hold: {reason}") from error
    store_new(services, PREFIX, path, data)
    return len(rows)


def release(services: Services, name: str) -> None:
    """Release the holds of a file.

    Raises:
        SettingsError: no file of this name is in force.
    """
    names = [
        i.key.removeprefix(PREFIX) for i in services.store.list_objects(PREFIX) if not i.is_folder
    ]
    if name not in names:
        others = ", ".join(map(printable, names)) or "none"
        raise SettingsError(f"No hold is named {printable(name)}; in force are: {others}.")
    services.store.delete(PREFIX + name)


def subjects_on_hold(services: Services) -> set[str]:
    """Ids of all subjects under a hold; never leaves the task that asks.

    Raises:
        DataError: a hold file cannot be read, so nobody can say who is protected: nothing may
            be erased until it is mended.
    """
    held: set[str] = set()
    for info in services.store.list_objects(PREFIX):
        if info.is_folder:
            continue
        if info.is_link:
            raise DataError(
                f"A file of {PREFIX} is a link, which is not followed; put the file itself there, "
                "then run again."
            )
        try:
            rows = parse(info.key, services.store.get(info.key), needed=_NEEDED)
        except RequestError as error:
            raise DataError(
                f"A hold file of {PREFIX} cannot be used: file {error}. Mend it, or release it "
                "with `expunge hold --release NAME`, then run again."
            ) from None
        except MissingObjectError:
            raise DataError(
                f"A file of {PREFIX} cannot be fetched under its name, which may be too long; "
                "rename it, then run again."
            ) from None  # its text has the name, which may be a person's
        held.update(_subject(row) for row in rows)
    return held


def _subject(row: RawRow) -> str:
    if row.problem == CUT:
        raise DataError(f"A row of {PREFIX} cannot be used: {CUT}; until then every run stops.")
    subject = plain_text(row.fields.get("subject_id"))
    if subject is None or not re.match(SUBJECT_ID, subject):
        raise DataError(
            f"A row of {PREFIX} has no usable subject_id (text or a whole number); mend it, then "
            "run again."
        )
    return subject
