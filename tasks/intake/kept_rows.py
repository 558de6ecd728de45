"""What is kept of request files: all of it until their batch is closed, then what is open.

A record's id begins with that of its file, so that nothing else is needed to find its row.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tasks.intake.request_files import RawRow, parse
from tasks.registry.services import Services
from tasks.store.objects import MissingObjectError
from unlearning.errors import DataError, RequestError, SnapshotChangedError
from unlearning.policy.digests import bytes_digest

CLAIMS = "requests/claims/"
FILES = "requests/files/"
_OPEN = "requests/open/"


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A request file as it was when its batch was frozen."""

    file_id: str
    key: str
    version: str
    digest: str
    problem: str = ""
    """Why no copy of it was kept; empty if one was."""
    arrived: str = ""
    """When it came, ISO 8601; empty if unknown."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a batch, with the id that stands for it everywhere outside requests/."""

    record_id: str
    row: RawRow
    arrived: str = ""
    """When its file came, ISO 8601; empty if unknown."""


def file_of(record_id: str) -> str:
    """Id of the request file that a record comes from."""
    return record_id.rpartition("-")[0]


def claimed_file(services: Services, file_id: str) -> RequestFile:
    """The file of this id, as the batch that claimed it found it."""
    return services.frozen.parsed(_claim_key(file_id), _claimed)


def claimant(services: Services, file_id: str) -> str:
    """The batch that claimed the file of this id."""
    return json.loads(services.store.get(_claim_key(file_id)))["batch"]


def was_forgotten(services: Services, file_id: str, undeletable: str) -> bool:
    """Whether the claimed file of this id was deleted, as it is once its requests are answered.

    One with the problem that is called `undeletable` never was.
    """
    claim = json.loads(services.store.get(_claim_key(file_id)))
    return claim.get("key") == "" and claim.get("problem") != undeletable


def records_of(services: Services, file: RequestFile) -> Iterator[Record]:
    """Every row that is kept of a file; one that cannot be read is one record with its problem."""
    if file.problem:
        yield Record(f"{file.file_id}-file", RawRow(0, {}, f"file {file.problem}"))
        return
    try:
        data = services.store.get(f"{FILES}{file.file_id}")
    except MissingObjectError:
        for record_id, fields in open_rows(services, file.file_id).items():
            yield Record(record_id, RawRow(int(record_id.rpartition("-")[2]), fields))
    else:
        yield from _records(file, data)


def subject_ids(services: Services, wanted: frozenset[str]) -> dict[str, str]:
    """Raw subject id of each of these records; never leaves a task.

    Every file is read once. Cost: a look at each of its records that names somebody.

    Raises:
        DataError: a record was answered, so that nobody knows any more whom it named.
    """
    found: dict[str, str] = {}
    for file_id in sorted({file_of(record) for record in wanted}):
        file, mine = claimed_file(services, file_id), {r for r in wanted if file_of(r) == file_id}
        if file.problem:
            continue
        try:
            key = f"{FILES}{file_id}"
            ids = services.frozen.parsed(key, partial(_subjects, file))
        except MissingObjectError:
            ids = {r: str(row["subject_id"]) for r, row in open_rows(services, file_id).items()}
            if mine - set(ids):
                raise DataError(
                    f"Rows of request file {file_id} are no longer kept, since they were answered; "
                    "restore the whole store to one moment."
                ) from None
        found |= {record: ids[record] for record in mine if record in ids}
    return found


def open_rows(services: Services, file_id: str) -> dict[str, dict[str, Any]]:
    """By record, the fields of the rows that are kept of a file whose batch is closed."""
    try:
        return json.loads(services.store.get(f"{_OPEN}{file_id}.json"))
    except MissingObjectError:
        return {}


def keep_open(services: Services, file_id: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep these rows of a file, and none besides."""
    key = f"{_OPEN}{file_id}.json"
    if rows:
        services.store.put(key, json.dumps(rows, default=str).encode())
        services.store.purge_noncurrent(key)
    else:
        services.store.delete(key)


def files_with_open_rows(services: Services) -> list[str]:
    """Ids of the files of which open rows are kept."""
    found = services.store.list_objects(_OPEN)
    return [info.key.removeprefix(_OPEN).removesuffix(".json") for info in found]


def forget_file(services: Services, batch: str, file: RequestFile) -> None:
    """Delete the kept copy of a file, and how it was called and what its digest was."""
    services.store.delete(f"{FILES}{file.file_id}")
    nameless = RequestFile(file.file_id, "", "", "", file.problem)
    key, body = _claim_key(file.file_id), {"batch": batch, **asdict(nameless)}
    services.store.put(key, json.dumps(body).encode())
    services.store.purge_noncurrent(key)


def _claim_key(file_id: str) -> str:
    return f"{CLAIMS}{file_id}.json"


def _claimed(data: bytes) -> RequestFile:
    body = json.loads(data)
    body.pop("batch")
    return RequestFile(**body)


def _subjects(file: RequestFile, data: bytes) -> dict[str, str]:
    """Whom each record of a file names."""
    fields = ((r.record_id, r.row.fields) for r in _records(file, data))
    return {record: str(row["subject_id"]) for record, row in fields if "subject_id" in row}


def _records(file: RequestFile, data: bytes) -> Iterator[Record]:
    if bytes_digest(data) != file.digest:
        raise SnapshotChangedError(
            f"The kept copy of request file {file.file_id} was changed; restore {FILES}."
        )
    try:
        rows = parse(file.key, data)
    except RequestError as error:
        yield Record(f"{file.file_id}-file", RawRow(0, {}, f"file {error}"))
        return
    for row in rows:
        yield Record(f"{file.file_id}-{row.index:06d}", row, file.arrived)
