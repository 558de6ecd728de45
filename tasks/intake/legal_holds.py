"""The register of legal holds: subjects whose rows must not be erased (Art. 17(3) GDPR)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tasks.intake.csv_rows import CUT
from tasks.intake.request_files import RawRow, parse, plain_text
from tasks.intake.submission import printable, read_local, refuse_cut, store_new
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.errors import DataError, RequestError, SettingsError
from unlearning.policy.deletion import Disposition
from unlearning.policy.spelling import loose_pseudonym
from unlearning.policy.subject_kinds import PERSON, is_kind, kind_pseudonym

PREFIX = "requests/holds/"
SUBJECT_ID = r"^[^\s\x00-\x1f](?:[^\x00-\x1f]{0,254}[^\s\x00-\x1f])?\Z"


_NEEDED = ("subject_id",)


class Hold(NamedTuple):
    """One row of a hold file; never leaves the task that asks."""

    subject_id: str
    kind: str
    """Empty if it protects whoever has the id, in every kind."""


def read_file(path: Path) -> tuple[bytes, set[Hold]]:
    """A local file of holds: its bytes, and whom they name.

    Raises:
        SettingsError: it cannot be read or used, so that nobody would be protected; it must not
            come into force, for a hold that nobody can read stops every run.
    """
    data = read_local(path)
    try:
        rows = parse(path.name, data, needed=_NEEDED)
        refuse_cut(path, rows)
        return data, {_hold(row) for row in rows}
    except (RequestError, DataError) as error:
        reason = f"file {error}." if isinstance(error, RequestError) else str(error)
        raise SettingsError(f"{printable(path.name)} is no hold: {reason}") from error


def store(services: Services, path: Path, data: bytes) -> None:
    """Put a file of holds in force.

    Raises:
        SettingsError: another one is in force under its name.
    """
    store_new(services, PREFIX, path, data)


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


@dataclass(frozen=True, slots=True)
class Register:
    """Whom the holds in force protect, by keyed pseudonyms.

    Errs toward protection: however the id is spelled, in the hold or in the tables.
    """

    spelled: frozenset[tuple[str, str]]
    """Kind and pseudonym of the loose form of each id."""
    exact: frozenset[str]
    """Pseudonyms of the ids as they stand, for requests judged before spelling was looked at."""

    def __bool__(self) -> bool:
        return bool(self.spelled)

    def names(self, kind: str, spelling: str) -> bool:
        """Whether a hold names a subject of this kind whose loose form has this pseudonym."""
        return not self.spelled.isdisjoint({("", spelling), (kind, spelling)})

    def protects(self, request: Disposition) -> bool:
        """Whether a hold names the subject of the request."""
        if not request.spelling:
            return request.subject in self.exact
        return self.names(request.subject_kind, request.spelling)


def register(services: Services) -> Register:
    """The holds in force, as requests are compared with them.

    Raises:
        DataError: a hold file cannot be read.
    """
    key = services.settings.pseudonym_secret()
    held = subjects_on_hold(services)
    return Register(
        frozenset((hold.kind, loose_pseudonym(key, hold.subject_id)) for hold in held),
        frozenset(kind_pseudonym(key, hold.kind or PERSON, hold.subject_id) for hold in held),
    )


def subjects_on_hold(services: Services) -> set[Hold]:
    """All subjects under a hold; never leaves the task that asks.

    Raises:
        DataError: a hold file cannot be read.
    """
    return set().union(*in_force(services).values())


def in_force(services: Services) -> dict[str, set[Hold]]:
    """The holds of every file, by its name; never leaves the task that asks.

    Raises:
        DataError: a hold file cannot be read, so nobody can say who is protected: nothing may
            be erased until it is mended.
    """
    held: dict[str, set[Hold]] = {}
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
        held[info.key.removeprefix(PREFIX)] = {_hold(row) for row in rows}
    return held


def _hold(row: RawRow) -> Hold:
    if row.problem == CUT:
        raise DataError(f"A row of {PREFIX} cannot be used: {CUT}; until then every run stops.")
    subject = plain_text(row.fields.get("subject_id"))
    if subject is None or not re.match(SUBJECT_ID, subject):
        raise DataError(
            f"A row of {PREFIX} has no usable subject_id (text or a whole number); mend it, then "
            "run again."
        )
    kind = row.fields.get("subject_kind") or ""
    if kind and not (isinstance(kind, str) and is_kind(kind)):
        raise DataError(
            f"A row of {PREFIX} has a subject_kind that is no name of a kind; mend it, or leave it "
            "out to protect the id in every kind, then run again."
        )
    return Hold(subject, kind)
